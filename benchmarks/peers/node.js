// Node's http module.
const http = require("node:http");

const large = Buffer.alloc(1 << 20, "x");
const users = /^\/users\/(\d+)\/items$/;

http.createServer((request, response) => {
  const url = new URL(request.url, "http://h");
  if (url.pathname === "/echo") {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => response.end(Buffer.concat(pieces)));
    return;
  }
  if (url.pathname === "/large") return response.end(large);
  if (url.pathname === "/json") {
    response.setHeader("Content-Type", "application/json");
    return response.end(JSON.stringify({ message: "Hello, world" }));
  }
  const match = users.exec(url.pathname);
  if (match) {
    const session = /session=([^;]*)/.exec(request.headers.cookie || "")?.[1] ?? "";
    response.setHeader("Set-Cookie", `session=${session}; Path=/; HttpOnly`);
    response.setHeader("Content-Type", "application/json");
    const items = Array.from({ length: 5 }, (_, id) => ({ id, name: `item ${id}` }));
    const page = Number(url.searchParams.get("page"));
    return response.end(JSON.stringify({ user: match[1], page, q: url.searchParams.get("q"), session, items }));
  }
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end("Hello, world");
}).listen(Number(process.argv[2]), "127.0.0.1");
