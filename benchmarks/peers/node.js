// Node's http module, one process: `node node.js PORT`.
const http = require("node:http");

const large = Buffer.alloc(1 << 20, "x");
const users = /^\/users\/(\d+)\/items$/;
const waiting = [];

function text(response, body) {
  response.setHeader("Content-Type", "text/plain; charset=utf-8");
  response.end(body);
}

function json(response, value) {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(value));
}

function items(request, response, user, query) {
  const session = /(?:^|; )session=([^;]*)/.exec(request.headers.cookie ?? "")?.[1] ?? "";
  const [page, q] = [Number(query.get("page")), query.get("q")];
  const list = Array.from({ length: 6 }, (_, n) => {
    const id = page * 5 + n;
    return { id, name: `${q} ${id}`, price: id * 100 };
  });
  response.setHeader("Set-Cookie", `session=${session}; Path=/; HttpOnly`);
  json(response, { user: Number(user), page, q, session, items: list });
}

function echo(request, response) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => response.end(Buffer.concat(pieces)));
}

function serve(request, response) {
  const [path, query] = request.url.split("?", 2);
  switch (path) {
    case "/": return text(response, "Hello, world");
    case "/json": return json(response, { message: "Hello, world" });
    case "/echo": return echo(request, response);
    case "/large": return response.end(large);
    case "/wait": return waiting.push(response);
    case "/waiting": return text(response, String(waiting.length));
    case "/event":
      for (const other of waiting) text(other, "news");
      return text(response, "done");
  }
  const match = users.exec(path);
  if (match) return items(request, response, match[1], new URLSearchParams(query));
  response.statusCode = 404;
  text(response, "not found");
}

// Long enough for connections that idle while thousands more are opened.
const server = http.createServer({ keepAliveTimeout: 300_000 }, serve);
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
