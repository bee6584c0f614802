// SPDX-License-Identifier: Apache-2.0
//
// MQTT.js against the daemon: node scenario.js NAME PORT VERSION PREFIX
//
// Each scenario is an async function that throws when something is not as it
// should be. MQTT_URL in the environment is where it connects to, if that is
// not TCP. Topics begin with PREFIX; VERSION is 4 (MQTT 3.1.1) or 5.

'use strict'

const assert = require('assert')
const mqtt = require('mqtt')

const [name, port, version, prefix] = process.argv.slice(2)
const v5 = version === '5'
const PATIENCE_MS = 20000
const base = process.env.MQTT_URL || `mqtt://127.0.0.1:${port}`

const clients = []

function within (promise, what) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)),
      PATIENCE_MS)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// A client, and what it has received; next() waits for the next message.
async function connect (options = {}) {
  const { url, ...rest } = options
  const client = await within(mqtt.connectAsync(
    url || base, {
      protocolVersion: Number(version), reconnectPeriod: 0, ...rest
    }), 'CONNACK')
  const got = []
  const waiting = []
  client.on('message', (topic, payload, packet) => {
    const m = { topic: topic.slice(prefix.length), payload: String(payload), packet }
    if (waiting.length > 0) waiting.shift()(m)
    else got.push(m)
  })
  client.next = () => within(got.length > 0
    ? Promise.resolve(got.shift())
    : new Promise(resolve => waiting.push(resolve)), 'a message')
  client.got = got
  clients.push(client)
  return client
}

function closed (client) {
  return within(new Promise(resolve => client.once('close', resolve)), 'the end')
}

// Break the connection, without DISCONNECT.
async function kill (client) {
  const end = closed(client)
  client.stream.destroy()
  await end
}

const topic = t => prefix + t

const scenarios = {
  async publish () {
    const sub = await connect()
    const pub = await connect()
    for (const qos of [0, 1, 2]) {
      const granted = await sub.subscribeAsync(topic(`q${qos}/+`), { qos })
      assert.strictEqual(granted[0].qos, qos)
      await pub.publishAsync(topic(`q${qos}/a`), `payload ${qos}`, { qos })
      const m = await sub.next()
      assert.strictEqual(m.topic, `q${qos}/a`)
      assert.strictEqual(m.payload, `payload ${qos}`)
      assert.strictEqual(m.packet.qos, qos)
    }
    await sub.unsubscribeAsync(topic('q0/+'))
    await pub.publishAsync(topic('q0/a'), 'nobody', { qos: 1 })
    await pub.publishAsync(topic('q1/a'), 'end', { qos: 1 })
    assert.strictEqual((await sub.next()).payload, 'end')
  },

  async many () {
    const sub = await connect()
    const pub = await connect()
    await sub.subscribeAsync(topic('#'), { qos: 2 })
    const sent = []
    for (let i = 0; i < 300; i++) {
      sent.push(pub.publishAsync(topic('a'), String(i), { qos: i % 3 }))
    }
    await Promise.all(sent)
    const seen = new Set()
    while (seen.size < 300) seen.add((await sub.next()).payload)
  },

  async retained () {
    const pub = await connect()
    await pub.publishAsync(topic('kept'), 'kept', { qos: 1, retain: true })
    const sub = await connect()
    await sub.subscribeAsync(topic('kept'), { qos: 1 })
    const m = await sub.next()
    assert.strictEqual(m.payload, 'kept')
    assert.strictEqual(m.packet.retain, true)
    await pub.publishAsync(topic('kept'), '', { qos: 1, retain: true })
    assert.strictEqual((await sub.next()).payload, '')
    const late = await connect()
    await late.subscribeAsync(topic('+'), { qos: 1 })
    await pub.publishAsync(topic('end'), 'end', { qos: 1 })
    assert.strictEqual((await late.next()).topic, 'end')
  },

  async will () {
    const heir = await connect()
    await heir.subscribeAsync(topic('will'), { qos: 1 })
    const properties = v5
      ? { willDelayInterval: 0, contentType: 'text/plain', userProperties: { k: 'v' } }
      : undefined
    const dying = await connect({
      will: { topic: topic('will'), payload: 'gone', qos: 1, properties }
    })
    await kill(dying)
    const m = await heir.next()
    assert.strictEqual(m.payload, 'gone')
    if (v5) {
      assert.strictEqual(m.packet.properties.contentType, 'text/plain')
      assert.strictEqual(m.packet.properties.userProperties.k, 'v')
    }
    const orderly = await connect({
      will: { topic: topic('will'), payload: 'never', qos: 1 }
    })
    await orderly.endAsync()
    await heir.publishAsync(topic('will'), 'end', { qos: 1 })
    assert.strictEqual((await heir.next()).payload, 'end')
  },

  async session () {
    const options = {
      clientId: `${prefix}session`.replace(/\W/g, ''),
      clean: false,
      properties: v5 ? { sessionExpiryInterval: 60 } : undefined
    }
    const first = await connect(options)
    await first.subscribeAsync(topic('s'), { qos: 2 })
    await kill(first)
    const pub = await connect()
    for (let i = 0; i < 20; i++) {
      await pub.publishAsync(topic('s'), String(i), { qos: 1 })
    }
    // MQTT.js emits messages as soon as they come: listen from the start.
    const again = mqtt.connect(base, {
      protocolVersion: Number(version), reconnectPeriod: 0, ...options
    })
    clients.push(again)
    const got = []
    let present
    again.on('connect', connack => { present = connack.sessionPresent })
    await within(new Promise(resolve => {
      again.on('message', (t, payload) => {
        got.push(String(payload))
        if (got.length === 20) resolve()
      })
    }), '20 messages')
    assert.strictEqual(present, true)
    assert.deepStrictEqual(got, Array.from({ length: 20 }, (_, i) => String(i)))
    await again.endAsync()
    const end = await connect({ ...options, clean: true, properties: undefined })
    await end.endAsync()
  },

  async shared () {
    const members = [await connect(), await connect()]
    for (const m of members) {
      const granted = await m.subscribeAsync(`$share/g/${topic('job')}`, { qos: 1 })
      assert.strictEqual(granted[0].qos, 1)
    }
    const pub = await connect()
    const sent = []
    for (let i = 0; i < 40; i++) {
      sent.push(pub.publishAsync(topic('job'), String(i), { qos: 1 }))
    }
    await Promise.all(sent)
    const all = []
    await within((async () => {
      while (all.length < 40) {
        for (const m of members) while (m.got.length > 0) all.push(m.got.shift().payload)
        await new Promise(resolve => setImmediate(resolve))
      }
    })(), 'all jobs')
    assert.deepStrictEqual(all.map(Number).sort((a, b) => a - b),
      Array.from({ length: 40 }, (_, i) => i))
  },

  async expiry () {
    if (!v5) return
    const options = {
      clientId: `${prefix}expiry`.replace(/\W/g, ''),
      clean: false,
      properties: { sessionExpiryInterval: 60 }
    }
    const first = await connect(options)
    await first.subscribeAsync(topic('e'), { qos: 1 })
    await kill(first)
    const pub = await connect()
    await pub.publishAsync(topic('e'), 'short',
      { qos: 1, properties: { messageExpiryInterval: 1 } })
    await pub.publishAsync(topic('e'), 'long',
      { qos: 1, properties: { messageExpiryInterval: 1000 } })
    // Until the daemon has let it expire: it says so in a session of its own.
    const watch = await connect()
    await pub.publishAsync(topic('r'), 'short',
      { qos: 1, retain: true, properties: { messageExpiryInterval: 1 } })
    await within((async () => {
      for (;;) {
        await watch.subscribeAsync(topic('r'), { qos: 1 })
        await pub.publishAsync(topic('w'), '', { qos: 1 })
        await watch.unsubscribeAsync(topic('r'))
        if (watch.got.length === 0) return
        watch.got.length = 0
      }
    })(), 'the retained message to expire')
    const again = mqtt.connect(base, {
      protocolVersion: 5, reconnectPeriod: 0, ...options
    })
    clients.push(again)
    const m = await within(new Promise(resolve => {
      again.once('message', (t, payload, packet) => resolve({ payload, packet }))
    }), 'a message')
    assert.strictEqual(String(m.payload), 'long')
    const left = m.packet.properties.messageExpiryInterval
    assert.ok(left > 900 && left < 1000, String(left))
    await again.endAsync()
  },

  async properties () {
    if (!v5) return
    const sub = await connect()
    await sub.subscribeAsync(topic('p'),
      { qos: 1, properties: { subscriptionIdentifier: 77, userProperties: { a: 'b' } } })
    const pub = await connect()
    await pub.publishAsync(topic('p'), 'text', {
      qos: 1,
      properties: {
        payloadFormatIndicator: true,
        contentType: 'text/plain',
        responseTopic: topic('answer'),
        correlationData: Buffer.from([0, 1, 255]),
        userProperties: { one: '1', many: ['a', 'b'] }
      }
    })
    const { properties } = (await sub.next()).packet
    assert.strictEqual(properties.payloadFormatIndicator, true)
    assert.strictEqual(properties.contentType, 'text/plain')
    assert.strictEqual(properties.responseTopic, topic('answer'))
    assert.deepStrictEqual([...properties.correlationData], [0, 1, 255])
    assert.deepStrictEqual({ ...properties.userProperties },
      { one: '1', many: ['a', 'b'] })
    assert.deepStrictEqual([].concat(properties.subscriptionIdentifier), [77])
  },

  // MQTT.js assigns aliases by itself, and takes ours.
  async alias () {
    if (!v5) return
    const sub = await connect({ properties: { topicAliasMaximum: 10 } })
    let aliased = 0
    sub.on('packetreceive', p => {
      if (p.cmd === 'publish' && p.properties && p.properties.topicAlias) aliased++
    })
    await sub.subscribeAsync(topic('#'), { qos: 1 })
    const pub = await connect({ autoAssignTopicAlias: true })
    let short = 0
    pub.on('packetsend', p => {
      if (p.cmd === 'publish' && p.topic === '') short++
    })
    for (let i = 0; i < 30; i++) {
      await pub.publishAsync(topic(`t${i % 3}`), String(i), { qos: 1 })
    }
    for (let i = 0; i < 30; i++) {
      const m = await sub.next()
      assert.strictEqual(m.topic, `t${i % 3}`)
      assert.strictEqual(m.payload, String(i))
    }
    assert.ok(short > 20, `${short} without a topic`)
    // The daemon did the same: MQTT.js has put the topics in again.
    assert.ok(aliased > 20, `${aliased} with an alias`)
  },

  async refused () {
    const client = await connect()
    if (!v5) {
      const granted = await client.subscribeAsync('$JS/#').catch(e => e)
      assert.ok(granted instanceof Error || granted[0].qos === 128, String(granted))
      return
    }
    const error = await client.publishAsync('$JS/x', 'x', { qos: 1 }).catch(e => e)
    assert.ok(error instanceof Error, 'published to $JS')
    assert.strictEqual(error.code, 0x87)
  }
}

async function main () {
  assert.ok(scenarios[name], `no scenario ${name}`)
  await scenarios[name]()
  await Promise.all(clients.filter(c => c.connected).map(c => c.endAsync()))
}

main().then(() => process.exit(0), error => {
  console.error(error)
  process.exit(1)
})
