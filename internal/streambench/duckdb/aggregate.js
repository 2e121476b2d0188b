// Reads a wide CSV with DuckDB and computes five aggregates for each meter
// over all its values: mean, least, greatest, standard deviation and count.
// Prints one JSON line with the seconds that it took and what to check.
//
//   node aggregate.js FILE POINTS THREADS
'use strict';

const { DuckDBInstance } = require('@duckdb/node-api');

async function main() {
  const [file, points, threads] = process.argv.slice(2);
  const columns = Array.from({ length: Number(points) }, (_, i) => `p${i + 1}`);
  const types = ["'meter_id':'VARCHAR'", "'date':'DATE'", ...columns.map((c) => `'${c}':'DOUBLE'`)].join(',');
  const known = columns.map((c) => `coalesce(${c},0)`);
  // Sums a row first, then the rows of a meter: the quickest of several ways
  // that were tried, lists and unpivoting among them.
  const rows = `SELECT meter_id, ${known.join('+')} AS s, ${known.map((c) => `${c}*${c}`).join('+')} AS q,
    least(${columns}) AS lo, greatest(${columns}) AS hi, ${columns.map((c) => `(${c} IS NOT NULL)::INT`).join('+')} AS n
    FROM read_csv('${file.replaceAll("'", "''")}', header=true, auto_detect=false, delim=',', columns={${types}})`;
  const meters = `SELECT meter_id, sum(s)/sum(n) AS mean, min(lo) AS least, max(hi) AS greatest,
    sqrt(greatest(0, sum(q)/sum(n) - (sum(s)/sum(n))**2)) AS deviation, sum(n) AS n FROM (${rows}) GROUP BY meter_id`;

  const began = process.hrtime.bigint();
  const instance = await DuckDBInstance.create(':memory:', { threads });
  const connection = await instance.connect();
  const result = await connection.run(`SELECT count(*), sum(n), avg(mean), min(least), max(greatest), avg(deviation) FROM (${meters})`);
  const [row] = await result.getRows();
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const [count, values, mean, least, greatest, deviation] = row.map(Number);
  console.log(JSON.stringify({ seconds, meters: count, values, mean, least, greatest, deviation }));
}

main().catch((err) => {
  console.error(err);
  process.exitCode = 1;
});
