// One JSON value a line, in and out. Node 18 keeps Web Crypto in a module; the libraries want it
// global.
import { webcrypto } from 'node:crypto'
import { createInterface } from 'node:readline'

globalThis.crypto ??= webcrypto

export const given = JSON.parse(process.argv[2])

export const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

export const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')

export const hear = async () => {
  const { value, done } = await lines.next()
  return done ? undefined : JSON.parse(value)
}
