// SPDX-License-Identifier: MIT
// One process, as many jobs at once as it has slots, over one gearmand connection and kept-alive HTTP connections.
// node worker.mjs PORT FUNCTION URI SLOTS
import http from 'node:http';
import { createRequire } from 'node:module';

const [port, name, uri, slots] = process.argv.slice(2);
const { default: Gearman } = await import(createRequire(`${process.env.NODE_PATH}/`).resolve('abraxas'));
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(slots) });

function post(body) {
  return new Promise((resolve, reject) => {
    const request = http.request(uri, {
      agent, method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
    }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => resolve(text));
    });
    request.on('error', reject).end(body);
  });
}

const client = Gearman.Client.connect({
  host: '127.0.0.1', port: Number(port), defaultEncoding: 'utf8', maxJobs: Number(slots) });
client.registerWorker(name, async (task) => {
  const answer = JSON.parse(await post(JSON.stringify({
    function_name: name, job_handle: task.jobid, unique: task.uniqueid, workload: task.payload })));
  if (answer.gearman_ret !== 0) throw new Error('the endpoint failed');
  return answer.response_string;
});
