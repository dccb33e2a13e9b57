// A service in another language, which copies the headers by hand. Started as: node shop.js PORT
const http = require("node:http");

const FORWARDED = ["x-asm-prefer-tag", "x-lanebaggage-hop"];
const { STOCK_SERVICE_HOST, STOCK_SERVICE_PORT } = process.env;

http.createServer((request, response) => {
  const present = FORWARDED.filter((name) => name in request.headers);
  const headers = Object.fromEntries(present.map((name) => [name, request.headers[name]]));
  http.get(`http://${STOCK_SERVICE_HOST}:${STOCK_SERVICE_PORT}/`, { headers }, (answer) => answer.pipe(response));
}).listen(Number(process.argv[2]), "127.0.0.1");
