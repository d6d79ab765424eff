// CouchDB's protocol over databases in memory, on a free port, which it prints.
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const PouchDB = require("pouchdb-core")
  .plugin(require("pouchdb-adapter-memory"))
  .plugin(require("pouchdb-mapreduce"));
const app = require("express")();
const options = { inMemoryConfig: true, mode: "minimumForPouchDB", overrideMode: { include: ["routes/views"] } };
app.use(require("express-pouchdb")(PouchDB.defaults({ adapter: "memory" }), options));
const server = app.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
