// The page: rooms at the left, messages of one room, who is there and who is typing.

import {connect} from "/live/eyewall.js";

const $ = id => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const list = $("messages"), author = $("author"), text = $("text");
const TYPING_MS = 3000;

author.value = asked.get("name") ?? localStorage.getItem("chat:name") ?? "";
let live = null, room = null, current = asked.get("room") ?? "lobby", typing = 0;

const element = (name, more = {}, ...children) => {
  const made = Object.assign(document.createElement(name), more);
  made.append(...children);
  return made;
};

async function fetchJson(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.json();
}

// -- messages

function show(message) {
  const old = list.querySelector(`[data-id="${CSS.escape(message.id)}"]`);
  const vote = element("button", {
    textContent: `▲ ${message.votes.length}`, title: message.votes.join(", "),
    onclick: () => live.send(room.name, {vote: message.id}).catch(tell),
  });
  vote.dataset.votes = message.votes.length;
  const when = new Date(message.time * 1000).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
  const item = element("li", {className: message.author === author.value ? "mine" : ""},
    element("b", {}, message.author, element("time", {textContent: when})),
    element("p", {textContent: message.text}), vote);
  item.dataset.id = message.id;
  if (old) return old.replaceWith(item);
  return item;
}

function add(message) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const item = show(message);
  if (!item) return;
  list.append(item);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

async function older() {
  const first = list.querySelector("li")?.dataset.id;
  const {messages} = await fetchJson(`/messages?room=${encodeURIComponent(current)}${first ? `&before=${encodeURIComponent(first)}` : ""}`);
  const height = list.scrollHeight;
  list.prepend(...messages.map(show).filter(Boolean));
  list.scrollTop += list.scrollHeight - height;
  $("older").hidden = messages.length < 50;
}

// -- rooms

async function listRooms() {
  const {rooms} = await fetchJson("/rooms");
  const names = [...new Set([...rooms, current])].sort();
  $("rooms").replaceChildren(...names.map(name => {
    const button = element("button", {textContent: name, onclick: () => enter(name)});
    if (name === current) button.setAttribute("aria-current", "true");
    return element("li", {}, button);
  }));
}

async function enter(name) {
  current = name;
  room?.leave();
  room = null;
  list.replaceChildren();
  $("room-title").textContent = name;
  history.replaceState(null, "", `?room=${encodeURIComponent(name)}&name=${encodeURIComponent(author.value)}`);
  if (!author.value.trim()) return author.focus();
  if (live === null) begin();
  let page;
  try {
    page = await fetchJson(`/messages?room=${encodeURIComponent(name)}`);
  } catch (error) {
    // The server is away: the state says so already.
    return setTimeout(() => current === name && !room && enter(name), 1000);
  }
  if (current !== name || room) return;
  page.messages.forEach(add);
  list.scrollTop = list.scrollHeight;
  $("older").hidden = page.messages.length < 50;
  room = live.subscribe(`rooms/${name}`, {since: page.since, presence: true, meta: {typing: false}}, add);
  room.on("presence", who => showPeople(who));
  // So much was missed that the hub does not have it any more: the store does.
  room.on("gap", () => enter(name));
  room.on("end", tell);
  listRooms().catch(tell);
}

function showPeople(who) {
  const names = Object.keys(who).sort();
  $("people").replaceChildren(...names.map(name => element("li", {textContent: name})));
  const writing = names.filter(name => name !== author.value && who[name].some(meta => meta.typing));
  $("typing").textContent = writing.length ? `${writing.join(", ")} ${writing.length > 1 ? "are" : "is"} typing…` : "";
}

// -- the connection

function begin() {
  live = connect("/live", {token: () => author.value.trim(), transport: asked.get("way") ?? undefined});
  live.on("state", state => {
    $("state").textContent = state === "open" ? "Connected" : "Connecting…";
    $("state").toggleAttribute("data-live", state === "open");
  });
}

function tell(error) {
  $("error").textContent = error.message;
}

function setTyping(now) {
  clearTimeout(typing);
  if (now) typing = setTimeout(() => setTyping(false), TYPING_MS);
  if (room && room.options.meta.typing !== now) Promise.resolve(room.meta({typing: now})).catch(() => {});
}

$("say").onsubmit = async event => {
  event.preventDefault();
  if (!room) return;
  const said = text.value;
  try {
    await live.send(room.name, {text: said});
    if (text.value === said) text.value = "";
    $("error").textContent = "";
  } catch (error) {
    tell(error);
  }
  setTyping(false);
};
text.oninput = () => setTyping(text.value !== "");
author.onchange = () => {
  localStorage.setItem("chat:name", author.value);
  live?.close();
  live = null;
  enter(current);
};
$("older").onclick = () => older().catch(tell);
$("new-room").onsubmit = event => {
  event.preventDefault();
  enter($("room-name").value.trim());
  event.target.reset();
};

enter(current);
