// The page of the chat: it polls for events after the last one it has seen, so nothing is lost
// or shown twice, whatever happens to the connection or the server in between.

const $ = (id) => document.getElementById(id);
const params = new URLSearchParams(location.search);
const rooms = new Set(["lobby"]);
let room = params.get("room") || "lobby";
let after = 0;
let polling = null;

$("author").value = params.get("name") || localStorage.getItem("name") || "";
$("author").addEventListener("change", () => localStorage.setItem("name", $("author").value));

function setState(text, live) {
  $("state").textContent = text;
  $("state").toggleAttribute("data-live", live);
}

function showRooms() {
  $("room-title").textContent = `# ${room}`;
  $("rooms").replaceChildren(...[...rooms].sort().map((name) => {
    const button = document.createElement("button");
    button.textContent = `# ${name}`;
    if (name === room) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => enter(name));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }));
}

function showMessage(event) {
  const item = document.createElement("li");
  item.id = `m${event.id}`;
  item.classList.toggle("mine", event.author === $("author").value);
  const author = document.createElement("b");
  author.textContent = event.author;
  const time = document.createElement("time");
  const at = new Date(event.at * 1000);
  time.dateTime = at.toISOString();
  time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  author.append(time);
  const text = document.createElement("p");
  text.textContent = event.text;
  const vote = document.createElement("button");
  vote.dataset.votes = "0";
  vote.textContent = "▲ 0";
  vote.setAttribute("aria-label", `Vote for the message of ${event.author}`);
  vote.addEventListener("click", () => post("/votes", { message: event.id, voter: me() }));
  item.append(author, text, vote);
  const list = $("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(item);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function show(event) {
  if (event.kind === "message") {
    showMessage(event);
  } else {
    const button = document.querySelector(`#m${event.message} button`);
    if (button) {
      button.dataset.votes = event.votes;
      button.textContent = `▲ ${event.votes}`;
    }
  }
}

function me() {
  return $("author").value.trim() || "somebody";
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.json()).error);
}

const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); });
});

async function poll(name, signal) {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const query = new URLSearchParams({ room: name, after });
      const answer = await fetch(`/wait?${query}`, { signal });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const { events } = await answer.json();
      if (signal.aborted) return;
      for (const event of events) {
        if (event.id <= after) continue;
        after = event.id;
        show(event);
      }
      failures = 0;
      setState("Connected", true);
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      setState("Reconnecting…", false);
      const wait = Math.min(5000, 100 * 2 ** failures);
      await pause(wait / 2 + Math.random() * wait / 2, signal);
    }
  }
}

function enter(name) {
  polling?.abort();
  polling = new AbortController();
  room = name;
  rooms.add(name);
  after = 0;
  $("messages").replaceChildren();
  showRooms();
  poll(name, polling.signal);
}

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value;
  try {
    await post("/messages", { room, author: me(), text });
    $("text").value = "";
  } catch (error) {
    setState(`Not sent: ${error.message}`, false);
  }
});

$("new-room").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("room-name").value.trim();
  $("room-name").value = "";
  if (name) enter(name);
});

fetch("/rooms").then((answer) => answer.json()).then((known) => {
  known.rooms.forEach((name) => rooms.add(name));
  showRooms();
}).catch(() => {});
enter(room);
