// SPDX-License-Identifier: MIT
// A client made of abraxas: client.mjs FOLDER_OF_ABRAXAS HOST PORT FUNCTION WORKLOAD; runs one foreground job and prints one
// line of JSON: {"events": [[name, text] …]}, in the order in which they came.
import { createRequire } from 'node:module';

const [folder, host, port, name, workload] = process.argv.slice(2);
const Gearman = createRequire(import.meta.url)(folder);
const client = Gearman.Client.connect({ host, port: Number(port), defaultEncoding: 'utf8' });
const events = [];
const note = (what) => (text) => { events.push([what, text]); };

const task = client.submitJob(name, workload);
task.on('warn', note('warning'));
await task.then(note('complete'), (error) => note('fail')(error.message));
console.log(JSON.stringify({ events }));
client.disconnect();
