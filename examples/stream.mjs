// SPDX-License-Identifier: MIT
//
// An endpoint that tells how its job fares while it runs: each line of its answer is sent on to the client at once.
//
//     node stream.mjs [PORT]        then "job_processing_uri": "http://127.0.0.1:PORT/"
//
// The workload is a number of parts; each is some data, and the last word is their sum.
import { once } from "node:events";
import { createServer } from "node:http";
import { json } from "node:stream/consumers";

createServer(async (request, response) => {
  response.writeHead(200, { "Content-Type": "application/x-ndjson" });
  // Sends one line now. When the connection is full it waits: so a slow client slows this endpoint down.
  const say = async (line) => {
    if (!response.write(JSON.stringify(line) + "\n")) await once(response, "drain");
  };
  try {
    const job = await json(request);
    const parts = Number(job.workload);
    let sum = 0;
    for (let part = 1; part <= parts; ++part) {
      sum += part;
      await say({ data: `part ${part}`, status: [part, parts] });
    }
    await say({ data_base64: Buffer.from([0x00, 0xff]).toString("base64") }); // bytes that are not UTF-8
    if (parts === 0) await say({ warning: "there was nothing to do" });
    await say({ gearman_ret: 0, response_string: String(sum) });
  } catch (error) { // left alone it would end the whole process
    response.write(JSON.stringify({ gearman_ret: 1, response_string: String(error) }) + "\n");
  }
  response.end();
}).listen(Number(process.argv[2] ?? 8000), "127.0.0.1");
