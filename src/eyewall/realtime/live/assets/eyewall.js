// Topics of an Eyewall server in a page: by WebSocket, event stream or polling, whichever gets
// through. Connections are made anew by themselves, and go on where they ended.

const OPEN_MS = 6000, PING_MS = 25000, FIRST_PAUSE_MS = 300, LONGEST_PAUSE_MS = 15000;
const REMEMBER_MS = 24 * 3600 * 1000;
const WAYS = ["socket", "events", "poll"];

/** An error that the server told of; `code` is for programs. */
export class LiveError extends Error {
  constructor(code, text) {
    super(text);
    this.name = "LiveError";
    this.code = code;
  }
}

class Emitter {
  #listeners = {};

  on(type, listener) {
    (this.#listeners[type] ??= new Set()).add(listener);
    return () => this.#listeners[type].delete(listener);
  }

  emit(type, ...values) {
    for (const listener of this.#listeners[type] ?? []) {
      try {
        listener(...values);
      } catch (error) {
        reportError(error);
      }
    }
  }
}

/** One topic, or pattern, of a connection. */
class Topic extends Emitter {
  who = {};
  last = null;

  constructor(live, name, options) {
    super();
    this.live = live;
    this.name = name;
    this.options = options;
    this.last = options.since ?? null;
    this.ready = new Promise((resolve, reject) => Object.assign(this, {resolve, reject}));
    this.ready.catch(() => {});
  }

  frame(n) {
    const {history, presence, meta} = this.options;
    return {
      do: "subscribe", n, topic: this.name,
      ...this.last === null ? {history: history ?? 0} : {since: this.last},
      ...presence || meta !== undefined ? {presence: true, meta, now: !this.told} : {},
    };
  }

  began(answer) {
    const first = this.last === null;
    this.told = true;
    this.last ??= answer.id;
    if (answer.who) this.#present(answer.who);
    if (first) answer.history?.forEach(message => this.received(message, true));
    this.resolve(answer.history ?? []);
    this.emit("open");
  }

  received(message, old = false) {
    this.last = message.id;
    this.emit("message", message.data, message, old);
  }

  missed(reason, id) {
    this.last = id;
    this.emit("gap", reason);
  }

  changed(joined, left) {
    const who = {...this.who};
    for (const name of left) delete who[name];
    this.#present(Object.assign(who, joined), joined, left);
  }

  #present(who, joined, left) {
    if (!joined && JSON.stringify(who) === JSON.stringify(this.who)) return;
    this.who = who;
    this.emit("presence", who, joined ?? who, left ?? []);
  }

  publish(data, key) {
    return this.live.publish(this.name, data, key);
  }

  history(options) {
    return this.live.history(this.name, options);
  }

  /** Tell others something else of oneself. */
  meta(meta) {
    this.options.meta = meta;
    return this.live.retell(this);
  }

  leave() {
    this.live.forget(this);
  }
}

class Live extends Emitter {
  state = "closed";
  way = null;
  #url; #options; #topics = new Map(); #waiting = new Map();
  #number = 0; #tries = 0; #failed = 0; #link = null; #timer = 0; #ended = false; #as; #token;

  constructor(url, options) {
    super();
    this.#url = new URL(url, location.href);
    this.#options = options;
    this.#as = crypto.getRandomValues(new Uint32Array(3)).join("-");
    this.way = options.transport ?? remembered(this.#url) ?? "socket";
    this.#connect();
    addEventListener("online", () => this.#hurry());
    addEventListener("pagehide", () => this.#drop("waiting"));
    addEventListener("pageshow", event => event.persisted && this.#hurry());
  }

  /** Subscribe to a topic; `listener` gets each message's data. */
  subscribe(name, options = {}, listener) {
    if (typeof options === "function") [options, listener] = [{}, options];
    if (this.#topics.has(name)) throw new Error(`${name} is subscribed to already`);
    const topic = new Topic(this, name, options);
    if (listener) topic.on("message", listener);
    this.#topics.set(name, topic);
    if (this.#isOpen()) this.#link.add(topic);
    return topic;
  }

  forget(topic) {
    if (this.#topics.get(topic.name) !== topic) return;
    this.#topics.delete(topic.name);
    if (this.#isOpen()) this.#link.remove(topic);
  }

  retell(topic) {
    return this.way === "socket"
      ? this.#ask({do: "meta", topic: topic.name, meta: topic.options.meta})
      : this.#isOpen() && this.#link.add(topic);
  }

  publish(topic, data, key) {
    return this.#ask({do: "publish", topic, data, ...key === undefined ? {} : {key}}).then(answer => answer.id);
  }

  /** Send to the program on the server; resolves with its answer. */
  send(topic, data) {
    return this.#ask({do: "send", topic, data}).then(answer => answer.data);
  }

  history(topic, {limit = 50, before} = {}) {
    return this.#ask({do: "history", topic, limit, ...before ? {before} : {}}).then(answer => answer.history);
  }

  close() {
    this.#ended = true;
    this.#drop("closed");
  }

  // -- the connection

  #isOpen() {
    return this.state === "open";
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.emit("state", state, this.way);
  }

  #drop(state) {
    clearTimeout(this.#timer);
    this.#link?.close();
    this.#link = null;
    this.#fail();
    this.#become(state);
  }

  #hurry() {
    if (this.#ended || this.#isOpen()) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  async #connect() {
    this.#link?.close();
    this.#become("connecting");
    try {
      this.#token = await this.#options.token?.();
    } catch {
      return this.#later();
    }
    if (this.#ended) return;
    const known = new Set(this.#topics.values());
    for (const topic of known) topic.told = false;
    const link = this.#link = new LINKS[this.way](this.#address(), this, known);
    let opened = false;
    const slow = setTimeout(() => link.over(), OPEN_MS);
    link.onopen = () => {
      clearTimeout(slow);
      opened = true;
      this.#tries = this.#failed = 0;
      remember(this.#url, this.way);
      this.#become("open");
      // What has changed since the link was made.
      for (const topic of this.#topics.values()) if (!known.has(topic)) link.add(topic);
      for (const topic of known) if (this.#topics.get(topic.name) !== topic) link.remove(topic);
      for (const entry of this.#waiting.values()) if (entry.frame && !entry.sent) this.#dispatch(entry);
    };
    link.onframe = frame => this.#take(frame);
    link.onover = () => {
      clearTimeout(slow);
      if (this.#link !== link) return;
      this.#link = null;
      this.#fail();
      if (opened || ++this.#failed < 2 || this.#options.transport) return this.#later();
      // A way that does not open though the server answers is blocked: take the next one.
      post(this.#address(), {do: "ping", n: 0}).then(() => {
        this.way = WAYS[(WAYS.indexOf(this.way) + 1) % WAYS.length];
        this.#failed = this.#tries = 0;
      }).catch(() => {}).finally(() => this.#link || this.#later());
    };
  }

  #address() {
    const url = new URL(this.#url);
    url.searchParams.set("as", this.#as);
    if (this.#token) url.searchParams.set("token", this.#token);
    return url;
  }

  #later() {
    if (this.#ended) return;
    this.#become("waiting");
    // Full jitter: after a restart of the server not all pages come at once.
    const most = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#tries++);
    this.#timer = setTimeout(() => this.#connect(), most * (0.1 + 0.9 * Math.random()));
  }

  // -- frames

  number(topic) {
    const n = ++this.#number;
    if (topic) this.#waiting.set(n, {topic});
    return n;
  }

  #ask(frame) {
    frame.n = this.number();
    return new Promise((resolve, reject) => {
      const entry = {frame, resolve, reject};
      if (this.#ended) return reject(new LiveError("closed", "the connection was closed"));
      this.#waiting.set(frame.n, entry);
      if (this.#isOpen()) this.#dispatch(entry);
    });
  }

  #dispatch(entry) {
    entry.sent = true;
    if (this.way === "socket") return this.#link.send(entry.frame);
    this.#waiting.delete(entry.frame.n);
    post(this.#address(), entry.frame).then(entry.resolve, entry.reject);
  }

  // The connection is over. What was not sent yet waits for the next one; of what was, an answer
  // may have been on its way, so whoever asked must decide.
  #fail() {
    for (const [n, {topic, sent, reject}] of this.#waiting) {
      if (!topic && !sent && !this.#ended) continue;
      this.#waiting.delete(n);
      reject?.(this.#ended
        ? new LiveError("closed", "the connection was closed")
        : new LiveError("lost", "the connection was lost before the answer came"));
    }
  }

  #take(frame) {
    if ("ok" in frame || "error" in frame) return this.#answered(frame);
    const topic = this.#topics.get(frame.on ?? frame.topic ?? frame.presence ?? frame.ended);
    if (!topic) return;
    if ("data" in frame) topic.received(frame);
    else if (frame.gap) topic.missed(frame.gap, frame.id);
    else if (frame.presence) topic.changed(frame.joined, frame.left);
    else if (frame.ended) this.#refused(topic, frame);
  }

  #answered(frame) {
    const n = frame.ok ?? frame.error, waiting = this.#waiting.get(n);
    if (!waiting) return;
    this.#waiting.delete(n);
    const error = "error" in frame && new LiveError(frame.code, frame.text);
    if (waiting.topic) {
      if (error) this.#refused(waiting.topic, frame);
      else if (frame.id) waiting.topic.began(frame);
    } else if (error) waiting.reject(error);
    else waiting.resolve(frame);
  }

  #refused(topic, {code, text}) {
    // What is only away comes back.
    if (code === "unavailable" || code === "slow") return this.#link?.over();
    this.#topics.delete(topic.name);
    const error = new LiveError(code, text);
    topic.reject(error);
    topic.emit("end", error);
  }
}

// -- ways to the server: each has add, remove, close, and calls onopen, onframe, onover

class Link {
  onopen() {}
  onframe() {}
  onover() {}
  #over = false;

  constructor(url, live) {
    this.url = url;
    this.live = live;
  }

  over() {
    if (this.#over) return;
    this.close();
    this.onover();
  }

  close() {
    this.#over = true;
  }

  get isOver() {
    return this.#over;
  }
}

class SocketLink extends Link {
  constructor(url, live, topics) {
    super(url, live);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = this.socket = new WebSocket(url);
    socket.onopen = () => {
      if (this.isOver) return;
      topics.forEach(topic => this.add(topic));
      this.onopen();
    };
    socket.onclose = () => this.over();
    socket.onmessage = event => {
      this.heard = true;
      if (!this.isOver) this.onframe(JSON.parse(event.data));
    };
    // A connection may be dead without having been closed.
    this.timer = setInterval(() => {
      if (socket.readyState !== 1) return;
      if (this.asked && !this.heard) return this.over();
      this.asked = true;
      this.heard = false;
      this.send({do: "ping", n: 0});
    }, PING_MS);
  }

  add(topic) {
    this.send(topic.frame(this.live.number(topic)));
  }

  remove(topic) {
    this.send({do: "unsubscribe", n: this.live.number(), topic: topic.name});
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  close() {
    super.close();
    clearInterval(this.timer);
    this.socket.close();
  }
}

// Both one-way links say in each request which topics they want, and since when.
class OneWayLink extends Link {
  constructor(url, live, topics) {
    super(url, live);
    this.topics = new Set(topics);
    queueMicrotask(() => this.isOver || this.start());
  }

  add(topic) {
    this.topics.add(topic);
    this.again();
  }

  remove(topic) {
    this.topics.delete(topic);
    this.again();
  }

  again() {
    if (this.planned) return;
    this.planned = true;
    queueMicrotask(() => {
      this.planned = false;
      if (!this.isOver) this.restart();
    });
  }

  address(by) {
    const url = new URL(this.url);
    const frames = [...this.topics].map(topic => topic.frame(this.live.number(topic)));
    url.searchParams.set("by", by);
    url.searchParams.set("topics", JSON.stringify(frames));
    return url;
  }
}

class EventsLink extends OneWayLink {
  start() {
    const source = this.source = new EventSource(this.address("events"), {withCredentials: true});
    source.onopen = () => {
      if (!this.opened) {
        this.opened = true;
        this.onopen();
      }
    };
    source.onmessage = event => source === this.source && this.onframe(JSON.parse(event.data));
    // The ids in the address are old by now, so it does not come back by itself.
    source.onerror = () => source === this.source && this.over();
  }

  restart() {
    this.source.close();
    this.start();
  }

  close() {
    super.close();
    this.source?.close();
  }
}

class PollLink extends OneWayLink {
  async start() {
    const abort = this.abort = new AbortController();
    try {
      while (!abort.signal.aborted) {
        const url = this.address("poll");
        if (!this.opened) url.searchParams.set("wait", "0");
        const answer = await fetch(url, {signal: abort.signal, credentials: "include"});
        if (!answer.ok) return this.over();
        const frames = await answer.json();
        if (abort.signal.aborted) return;
        frames.forEach(frame => this.onframe(frame));
        if (!this.opened) {
          this.opened = true;
          this.onopen();
        }
        if (!this.topics.size) return;
      }
    } catch {
      if (!abort.signal.aborted) this.over();
    }
  }

  restart() {
    this.abort.abort();
    this.start();
  }

  close() {
    super.close();
    this.abort?.abort();
  }
}

const LINKS = {socket: SocketLink, events: EventsLink, poll: PollLink};

async function post(url, frame) {
  let answer;
  try {
    answer = await fetch(url, {
      method: "POST", body: JSON.stringify(frame), credentials: "include", keepalive: true,
      headers: {"Content-Type": "application/json"},
    });
  } catch {
    throw new LiveError("lost", "the connection was lost before the answer came");
  }
  const said = answer.ok ? await answer.json() : {error: 0, code: `${answer.status}`, text: answer.statusText};
  if ("error" in said) throw new LiveError(said.code, said.text);
  return said;
}

// -- which way got through, remembered for a day

const memory = url => `eyewall:${url.host}${url.pathname}`;

function remembered(url) {
  try {
    const [way, when] = JSON.parse(localStorage.getItem(memory(url)));
    return Date.now() - when < REMEMBER_MS && WAYS.includes(way) ? way : null;
  } catch {
    return null;
  }
}

function remember(url, way) {
  try {
    localStorage.setItem(memory(url), JSON.stringify([way, Date.now()]));
  } catch {
    // A page may be without a store.
  }
}

/**
 * Connect to the topics of a server.
 *
 * `token` is a function that gives a token for each connection; `transport` keeps to one way.
 */
export function connect(url = "/live", options = {}) {
  return new Live(url, options);
}
