// SPDX-License-Identifier: Apache-2.0
//
// MQTT.js in a real browser: node browser.js CHROMIUM PORT URL FORBIDDEN
//
// Serves a page on PORT, opens it in a headless Chromium, which is steered by
// its DevTools protocol, and lets it connect to URL, subscribe, publish, and
// come back when the daemon does. Prints "connected" when it is time to
// restart the daemon. FORBIDDEN is one that must not let the page in.

'use strict'

const { spawn } = require('child_process')
const fs = require('fs')
const http = require('http')
const os = require('os')
const path = require('path')
const WebSocket = require('ws')

const [chromium, port, url, forbidden] = process.argv.slice(2)
const PATIENCE_MS = 50000

// What the page does; functions go there as text.
const inPage = {
  refused: address => new Promise((resolve, reject) => {
    const client = window.mqtt.connect(address, { reconnectPeriod: 0 })
    client.on('connect', () => reject(new Error('it was let in')))
    client.on('close', () => resolve('refused'))
  }),

  start: address => new Promise((resolve, reject) => {
    const client = window.mqtt.connect(address, {
      protocolVersion: 5, reconnectPeriod: 100, clientId: 'browser'
    })
    window.client = client
    window.connects = 0
    window.got = []
    client.on('message', (topic, payload) => {
      window.got.push(`${topic}=${payload.length}`)
    })
    client.on('connect', () => {
      if (++window.connects === 1) resolve('started')
    })
    client.on('error', reject)
  }),

  exchange: async round => {
    const client = window.client
    await client.subscribeAsync('page/#', { qos: 1 })
    for (const [i, n] of [0, 5, 200, 70000, 300000].entries()) {
      await client.publishAsync(`page/${round}/${i}`, 'x'.repeat(n), { qos: i % 3 })
    }
    await client.publishAsync(`page/${round}/end`, '', { qos: 1 })
    while (!window.got.includes(`page/${round}/end=0`)) {
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    const want = [0, 5, 200, 70000, 300000].map((n, i) => `page/${round}/${i}=${n}`)
    const missing = want.filter(w => !window.got.includes(w))
    if (missing.length > 0) throw new Error(`missing: ${missing}`)
    return 'exchanged'
  },

  again: async () => {
    while (window.connects < 2 || !window.client.connected) {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    return 'again'
  },

  end: async () => { await window.client.endAsync(); return 'ended' }
}

function serve () {
  const script = path.join(path.dirname(require.resolve('mqtt')), '..', 'dist', 'mqtt.min.js')
  const text = fs.readFileSync(script)
  return new Promise(resolve => {
    const server = http.createServer((request, response) => {
      const isScript = request.url === '/mqtt.js'
      response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
      response.end(isScript ? text : '<title>page</title><script src="/mqtt.js"></script>')
    })
    server.listen(Number(port), '127.0.0.1', () => resolve(server))
  })
}

// The browser, and where its DevTools listen.
function launch (profile) {
  const child = spawn(chromium, ['--headless=new', '--no-sandbox',
    '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
    '--ignore-certificate-errors',
    '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'],
  { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: profile } })
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr.on('data', data => {
      said += data
      const found = /DevTools listening on (ws:\S+)/.exec(said)
      if (found) resolve({ child, address: found[1] })
    })
    child.on('exit', code => reject(new Error(`chromium ended with ${code}: ${said}`)))
  })
}

// A call of the DevTools protocol for each message.
class DevTools {
  constructor (socket) {
    this.socket = socket
    this.next = 1
    this.waiting = new Map()
    socket.on('message', data => {
      const m = JSON.parse(data)
      const found = this.waiting.get(m.id)
      if (!found) return
      this.waiting.delete(m.id)
      if (m.error) found.reject(new Error(m.error.message))
      else found.resolve(m.result)
    })
  }

  call (method, params = {}) {
    const id = this.next++
    const message = { id, method, params }
    if (this.session) message.sessionId = this.session
    this.socket.send(JSON.stringify(message))
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }))
  }

  async open (address) {
    const { targetId } = await this.call('Target.createTarget', { url: address })
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true })
    this.session = sessionId
    // Until then it may be another page that answers, or none.
    while (!await this.run('document.readyState === "complete" && "mqtt" in window')
      .catch(() => false)) {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  async run (expression) {
    const done = await this.call('Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true })
    if (done.exceptionDetails) {
      const e = done.exceptionDetails
      throw new Error(e.exception ? e.exception.description : e.text)
    }
    return done.result.value
  }

  act (name, argument) {
    return this.run(`(${inPage[name]})(${JSON.stringify(argument)})`)
  }
}

async function main (browser) {
  const socket = new WebSocket(browser.address)
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  const tools = new DevTools(socket)
  await tools.open(`http://127.0.0.1:${port}/`)
  console.log(await tools.act('refused', forbidden))
  console.log(await tools.act('start', url))
  console.log(await tools.act('exchange', 1))
  console.log('connected')
  console.log(await tools.act('again'))
  console.log(await tools.act('exchange', 2))
  console.log(await tools.act('end'))
  await tools.call('Browser.close').catch(() => {})
}

(async () => {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'conversation-chromium-'))
  let server, browser
  let status = 1
  const late = setTimeout(() => {
    console.log('it takes too long')
    if (browser) browser.child.kill('SIGKILL')
    process.exit(1)
  }, PATIENCE_MS)
  const stop = () => { if (browser) browser.child.kill('SIGKILL'); process.exit(1) }
  process.on('SIGTERM', stop)
  try {
    server = await serve()
    browser = await launch(profile)
    browser.child.removeAllListeners('exit')
    const gone = new Promise(resolve => browser.child.on('exit', resolve))
    await main(browser)
    await gone
    status = 0
  } catch (error) {
    console.log(error.stack)
    if (browser) browser.child.kill('SIGKILL')
  }
  clearTimeout(late)
  fs.rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  process.exit(status)
})()
