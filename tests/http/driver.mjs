// Drives the real supabase-js for tests that are written in Python: commands as lines of JSON on stdin, answers on stdout.
//
// In front of PostgREST it puts what Supabase has there: a gateway that serves it below /rest/v1. Nothing else of
// Supabase is imitated. The program ends when its stdin does, so it never outlives the tests.

import { createServer, request } from 'node:http'
import { createInterface } from 'node:readline'

import { createClient } from '@supabase/supabase-js'

const [upstream] = process.argv.slice(2)
const PREFIX = '/rest/v1'
const TIMEOUT_MS = 30_000

const gateway = createServer((incoming, outgoing) => {
  if (!incoming.url.startsWith(PREFIX)) {
    outgoing.writeHead(404).end()
    return
  }
  const target = new URL(upstream)
  const onward = request(
    {
      host: target.hostname,
      port: target.port,
      method: incoming.method,
      path: incoming.url.slice(PREFIX.length) || '/',
      headers: { ...incoming.headers, host: target.host },
    },
    (answer) => {
      outgoing.writeHead(answer.statusCode, answer.statusMessage, answer.headers)
      answer.pipe(outgoing)
    },
  )
  onward.on('error', () => outgoing.destroy())
  incoming.on('error', () => onward.destroy())
  incoming.pipe(onward)
})

const clients = new Map()

// One client for each token, as a page has one for its user.
function client(key, token) {
  const id = `${key} ${token ?? ''}`
  if (!clients.has(id)) {
    const options = { db: { schema: 'eventlive_api' }, auth: { persistSession: false, autoRefreshToken: false } }
    if (token) options.accessToken = async () => token
    clients.set(id, createClient(`http://127.0.0.1:${gateway.address().port}`, key, options))
  }
  return clients.get(id)
}

// steps: the chain after createClient(), such as [['from', 'registrations'], ['select', '*'], ['eq', 'role', 'host']]
async function run({ key, token, steps }) {
  let query = client(key, token)
  for (const [method, ...values] of steps) query = query[method](...values)
  const { data, error, count, status, statusText } = await query.abortSignal(AbortSignal.timeout(TIMEOUT_MS))
  return { data, error, count, status, reason: statusText }
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

gateway.listen(0, '127.0.0.1', () => {
  say({ url: `http://127.0.0.1:${gateway.address().port}` })
  const lines = createInterface({ input: process.stdin })
  lines.on('line', async (line) => {
    const command = JSON.parse(line)
    try {
      say({ id: command.id, ...(await run(command)) })
    } catch (problem) {
      say({ id: command.id, problem: String(problem?.stack ?? problem) })
    }
  })
  lines.on('close', () => process.exit(0))
})
