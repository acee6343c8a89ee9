// SPDX-License-Identifier: MIT
//
// Refuses requests that Driveshaft did not sign (signing_secret_file in its jobs file).
//
// Import `refusal` from your endpoint. The signature is one of the Standard Webhooks specification, so a library for
// that does as well. Run by itself this is an endpoint that reverses workloads:
//
//     node verify.mjs 8080 /etc/driveshaft/signing_secret

import {createHmac, timingSafeEqual} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {argv} from 'node:process';
import {fileURLToPath} from 'node:url';

function same(a, b) {  // takes as long whatever differs
  return a.length === b.length && timingSafeEqual(a, b);
}

// Why the request is refused, or null if it is good. `headers` are by lower-case name, as node has them; `body` is a
// Buffer; `secrets` the secret, or while it is exchanged the old one and the new one. `tolerance` is how many seconds
// the clocks may differ and a request may travel: what is older may be a repetition by somebody who listened.
export function refusal(headers, body, secrets, tolerance = 300, now = Date.now() / 1000) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const signatures = headers['webhook-signature'];
  if (!id || !timestamp || !signatures) return 'the request is not signed';
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp)) > tolerance) {
    return 'the timestamp is too old or too new';
  }
  for (const secret of secrets) {
    const key = Buffer.from(secret.trim().replace(/^whsec_/, ''), 'base64');
    if (key.length < 24) throw new Error('a secret is whsec_ and base64 of at least 24 bytes');
    const good = Buffer.from('v1,' + createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64'));
    if (signatures.split(' ').some((signature) => same(good, Buffer.from(signature)))) return null;
  }
  return 'no signature is right';
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  if (argv.length !== 4) throw new Error('usage: node verify.mjs PORT SECRET_FILE');
  const secrets = readFileSync(argv[3], 'ascii').split('\n').filter((line) => line.trim());
  createServer(async (request, response) => {
    try {
      const parts = [];
      for await (const part of request) parts.push(part);
      const body = Buffer.concat(parts);
      const why = refusal(request.headers, body, secrets);
      if (why) return response.writeHead(401, {'Content-Type': 'text/plain'}).end(why);
      const job = JSON.parse(body.toString());
      const text = job.workload_encoding === 'base64' ? Buffer.from(job.workload, 'base64').toString('hex') : job.workload;
      response.writeHead(200, {'Content-Type': 'application/json'});
      response.end(JSON.stringify({gearman_ret: 0, response_string: [...text].reverse().join('')}));
    } catch (error) {  // left alone it would end the whole process
      response.writeHead(400, {'Content-Type': 'text/plain'}).end(String(error));
    }
  }).listen(Number(argv[2]), '127.0.0.1');
}
