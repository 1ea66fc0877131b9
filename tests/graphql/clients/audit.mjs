// Runs the public audit suite of `graphql-http` against a running hub and prints what each audit said, as JSON.
// node audit.mjs URL KEY
import { serverAudits } from 'graphql-http';

const [url, key] = process.argv.slice(2);

const asKey = (input, init = {}) =>
  fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${key}` } });

const results = [];
for (const audit of serverAudits({ url, fetchFn: asKey })) {
  const result = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status: result.status, reason: result.reason ?? null });
}
console.log(JSON.stringify(results));
