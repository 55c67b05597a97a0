import { createServer } from "node:http";

createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ message: "Hello, World!" }));
}).listen(Number(process.argv[2]), "0.0.0.0");
