// Reads what our encoders write with hyparquet and Polars. The tests TestSamples of the packages format and archive write
// it, which is all that this module and ours have in common.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { after, before, test } from 'node:test'

import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import pl from 'nodejs-polars'

let samples

before(() => {
  samples = mkdtempSync(join(tmpdir(), 'export-samples-'))
  execFileSync('go', ['test', '-count=1', '-run', '^TestSamples$', './internal/format', './internal/archive'], {
    cwd: join(import.meta.dirname, '..', '..', '..'),
    env: { ...process.env, EXPORT_SAMPLES: samples },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
})

after(() => rmSync(samples, { recursive: true, force: true }))

const compressions = ['none', 'gzip', 'zstd']

// Every Parquet file below a directory.
function parquetFiles(dir) {
  return readdirSync(dir, { recursive: true }).filter(name => name.endsWith('.parquet')).map(name => join(dir, name))
}

// The lines of an NDJSON file.
function linesOf(path) {
  return readFileSync(path, 'utf8').split('\n').filter(line => line)
}

function microseconds(text) {
  const [, seconds, fraction] = /^(.*)\.(\d{6})Z$/.exec(text)

  return BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction)
}

// Equal values of JSON may be written in more than one way.
const asWritten = { changes: true, raw: true }

function same(column, got, want) {
  if (want === null || got === null || got === undefined) return want === null && (got === null || got === undefined)
  if (column === 'time') return got === microseconds(want)
  if (asWritten[column]) {
    return typeof got === 'string' && JSON.stringify(JSON.parse(got)) === JSON.stringify(want)
  }

  return got === want
}

// Of a large table, some thousands of rows are compared.
function stepOf(rows) {
  return Math.ceil(rows / 20_000)
}

function compare(rows, lines, value) {
  assert.equal(rows, lines.length)

  for (let i = 0; i < lines.length; i += stepOf(lines.length)) {
    for (const [column, want] of Object.entries(JSON.parse(lines[i]))) {
      if (!same(column, value(i, column), want)) {
        assert.fail(`row ${i}, ${column}: got ${String(value(i, column))}, want ${JSON.stringify(want)}`)
      }
    }
  }
}

const parsers = { timestampFromMicroseconds: micros => micros }

function readWithHyparquet(file, metadata) {
  return parquetReadObjects({ file, metadata, compressors, parsers })
}

test('hyparquet is told that all text is text', async () => {
  let columns = 0

  for (const path of parquetFiles(samples)) {
    const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(path))

    for (const column of schema.filter(s => s.type === 'BYTE_ARRAY')) {
      columns++
      assert.deepEqual([column.logical_type?.type, column.converted_type], ['STRING', 'UTF8'], `${relative(samples, path)}: ${column.name}`)
    }
  }

  assert.ok(columns > 200, `${columns} columns`)
})

test('hyparquet reads the values', async () => {
  const want = linesOf(join(samples, 'log', 'none', 'all.ndjson'))

  for (const compression of compressions) {
    const file = await asyncBufferFromFile(join(samples, 'log', compression, 'all.parquet'))
    const metadata = await parquetMetadataAsync(file)
    const got = await readWithHyparquet(file, metadata)

    compare(got.length, want, (i, column) => got[i][column])
  }
})

test('Polars reads the values', () => {
  for (const [dir, lines, files] of [
    ['log', join('none', 'all.ndjson'), compressions.map(c => join(c, 'all.parquet'))],
    ['values', 'all.ndjson', ['zstd.parquet']],
  ]) {
    const want = linesOf(join(samples, dir, lines))

    for (const name of files) {
      const got = pl.readParquet(join(samples, dir, name))
      const columns = Object.keys(JSON.parse(want[0]))

      assert.deepEqual(got.columns, columns)

      for (const column of columns.filter(c => c !== 'time')) {
        assert.ok(String(got.schema[column]) === 'DataType(String)', `${name}: ${column} is ${got.schema[column]}`)
      }

      assert.match(String(got.schema.time), /Datetime.*us/)

      const step = stepOf(want.length)
      const values = Object.fromEntries(columns.map(c => [c, got.getColumn(c).gatherEvery(step)]))

      values.time = values.time.cast(pl.Int64)

      for (const column of columns) values[column] = values[column].toArray()

      compare(got.height, want, (i, column) => (column === 'time' ? BigInt(values.time[i / step]) : values[column][i / step]))
    }
  }
})

test('Polars and hyparquet read events of OCSF', async () => {
  const path = join(samples, 'ocsf', 'all.parquet')
  const want = linesOf(join(samples, 'ocsf', 'all.ndjson')).map(line => JSON.parse(line))

  const rows = await readWithHyparquet(await asyncBufferFromFile(path))
  const table = pl.readParquet(path)

  assert.equal(rows.length, want.length)
  assert.equal(table.height, want.length)
  assert.ok(String(table.schema.actor) === 'DataType(String)', String(table.schema.actor))
  assert.equal(typeof rows[0].actor, 'string')
  assert.deepEqual(JSON.parse(rows[0].actor), want[0].actor)
  assert.deepEqual(JSON.parse(table.getColumn('actor').toArray()[0]), want[0].actor)
})

// BigQuery, Spark and pyarrow refuse a table whose partitions are named like columns of its files.
test('no partition of an archive is named like a column', async () => {
  let files = 0

  for (const path of parquetFiles(join(samples, 'archive'))) {
    const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(path))
    const columns = schema.map(s => s.name)
    const partitions = path.split(sep).filter(name => name.includes('=')).map(name => name.split('=')[0])

    files++
    assert.equal(partitions.length, 2, path)

    for (const name of partitions) {
      assert.ok(!columns.includes(name), `${relative(samples, path)}: ${name} is also a column`)
    }
  }

  assert.equal(files, 4)

  for (const path of readdirSync(join(samples, 'archive', 'ndjson'), { recursive: true }).filter(name => name.endsWith('.ndjson'))) {
    const entry = JSON.parse(linesOf(join(samples, 'archive', 'ndjson', path))[0])

    for (const name of path.split(sep).filter(part => part.includes('=')).map(part => part.split('=')[0])) {
      assert.ok(!(name in entry), `${path}: ${name} is also a key`)
    }
  }
})

test('Polars reads an archive by its partitions', () => {
  const table = pl
    .scanParquet(join(samples, 'archive', 'parquet', 'upcloud', 'entries', '**', '*.parquet'), { hivePartitioning: true, tryParseHiveDates: false })
    .collectSync()

  assert.equal(table.height, 1000)
  assert.deepEqual(table.getColumn('cloud').unique().toArray(), ['upcloud'])
  assert.deepEqual(table.getColumn('service').unique().toArray(), ['upcloud'])
  assert.equal(table.filter(pl.col('date').eq(pl.lit('2026-01-01'))).height, 1)
})

test('an empty export has columns and no rows', async () => {
  const path = join(samples, 'empty', 'all.parquet')

  assert.equal(pl.readParquet(path).height, 0)
  assert.ok(pl.readParquet(path).columns.includes('raw'))
  assert.equal((await readWithHyparquet(await asyncBufferFromFile(path))).length, 0)
})
