//! How much one turn may do before the outer loop has its turn.

use std::time::{Duration, Instant};

/// Connections run in one turn before the outer loop has its turn.
const BUDGET_RUNS: usize = 512;

/// Time that one turn may take, looked at now and then.
const BUDGET_TIME: Duration = Duration::from_millis(4);

/// Runs between two looks at the clock.
const RUNS_PER_LOOK: usize = 32;

/// What is left of a turn.
pub(super) struct Budget {
    runs: usize,
    started: Instant,
    spent: bool,
}

impl Budget {
    pub(super) fn new(started: Instant) -> Self {
        Self {
            runs: 0,
            started,
            spent: false,
        }
    }

    /// Count a run; true when there may be no more.
    pub(super) fn is_spent(&mut self) -> bool {
        self.runs += 1;
        if self.runs >= BUDGET_RUNS
            || (self.runs.is_multiple_of(RUNS_PER_LOOK) && self.started.elapsed() >= BUDGET_TIME)
        {
            self.spent = true;
        }
        self.spent
    }
}
