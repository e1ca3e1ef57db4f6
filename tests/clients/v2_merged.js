// The npm client `@influxdata/influxdb-client` asks what takes several backends: v2_merged.js URL TOKEN ORG VECTORS.
//
// Each answer must decode to the same rows as the recorded bytes do, in any order of the tables. The recorded
// bytes are decoded by the same client, from a server that serves nothing else. Prints how many were asked.
"use strict";

const fs = require("fs");
const http = require("http");
const path = require("path");

const modules = path.join(__dirname, "../../.venv/js/node_modules");
const { InfluxDB } = require(path.join(modules, "@influxdata/influxdb-client"));

function wanted(row) {
  const plain = !row.raw && (row.dialect.annotations || []).length === 3 && row.dialect.delimiter === ",";
  return ["union", "schema"].includes(row.class) && plain;
}

async function rowsOf(url, token, org, query) {
  const rows = await new InfluxDB({ url, token, timeout: 20000 }).getQueryApi(org).collectRows(query);
  const cells = (row) => Object.entries(row).filter(([name]) => name !== "table").sort();
  return rows.map((row) => JSON.stringify(cells(row))).sort();
}

async function main() {
  const [url, token, org, vectors] = process.argv.slice(2);
  const rows = fs.readFileSync(vectors, "utf8").trim().split("\n").map(JSON.parse).filter(wanted);
  const recorded = new Map(rows.map((row) => [row.query, row.csv]));
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    response.writeHead(200, { "Content-Type": "text/csv; charset=utf-8" });
    response.end(recorded.get(JSON.parse(body).query));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const own = `http://127.0.0.1:${server.address().port}`;
  for (const row of rows) {
    const found = await rowsOf(url, token, org, row.query);
    const expected = await rowsOf(own, token, org, row.query);
    if (expected.length === 0 || JSON.stringify(found) !== JSON.stringify(expected)) {
      throw new Error(`${row.name}: ${found}\n${expected}`);
    }
  }
  server.closeAllConnections();
  server.close();
  console.log(rows.length);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
