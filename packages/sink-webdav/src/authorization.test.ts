import { expect, test } from 'vitest'
import { Authorization } from './authorization.ts'

// RFC 7616 section 3.9.1.
const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ'
const nonce = '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v'
const digest = (algorithm: string, more = '') =>
  `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="${nonce}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"${more}`
const RESPONSES = {
  MD5: '8ca523f5e9506fed4657c9700eebdbec',
  'SHA-256': '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
} as const

const mufasa = { user: 'Mufasa', password: 'Circle of Life' }

function authorization(options = {}): Authorization {
  return new Authorization(mufasa, { mayShowPassword: true, cnonce, ...options })
}

function asked(challenge: string, one = authorization()): string | undefined {
  expect(one.learn(challenge, one.headerFor('GET', '/dir/index.html'))).toBe('again')
  return one.headerFor('GET', '/dir/index.html')
}

test.for(Object.entries(RESPONSES))("Digest with %s gives the RFC's response", ([algorithm, response]) => {
  const header = asked(digest(algorithm))
  expect(header).toContain(`response="${response}"`)
  expect(header).toContain('qop=auth, nc=00000001')
})

test.for([
  `${digest('MD5')}, ${digest('SHA-256')}`,
  `${digest('SHA-256')}, ${digest('MD5')}`,
  `Negotiate, Basic realm="a, b \\" Digest", ${digest('SHA-256')}`,
  `Negotiate dGVzdA==, ${digest('SHA-512-256')}, ${digest('SHA-256')}, NTLM`,
])('of several challenges the best is answered: %s', (challenge) => {
  expect(asked(challenge)).toContain(RESPONSES['SHA-256'])
})

test('Basic is answered where nothing better is offered, in UTF-8', () => {
  const one = new Authorization({ user: 'jörg', password: 'a:b"€' }, { mayShowPassword: true })
  expect(one.headerFor('GET', '/')).toBeUndefined()
  expect(asked('Basic realm="x", charset="UTF-8"', one)).toBe(
    `Basic ${Buffer.from('jörg:a:b"€').toString('base64')}`,
  )
})

test('a password is not shown in the clear, and a digest of it is', () => {
  const one = authorization({ mayShowPassword: false, atOnce: true })
  expect(one.headerFor('GET', '/')).toBeUndefined()
  expect(one.learn('Basic realm="x"', undefined)).toBe('would-show')
  expect(one.learn(`Basic realm="x", ${digest('MD5')}`, undefined)).toBe('again')
  const token = new Authorization({ token: 't' }, { mayShowPassword: false })
  expect([token.headerFor('GET', '/'), token.learn('Bearer', undefined)]).toEqual([undefined, 'would-show'])
})

test('what was refused is not shown again, save for a nonce that is stale', () => {
  const basic = authorization()
  expect(basic.learn('Basic realm="x"', asked('Basic realm="x"', basic))).toBe('refused')
  const one = authorization()
  const sent = asked(digest('MD5'), one)
  expect(one.learn(digest('MD5'), sent)).toBe('refused')
  expect(one.learn(digest('MD5', ', stale=true'), sent)).toBe('again')
})

test('each request has a count of its own', () => {
  const one = authorization()
  asked(digest('MD5'), one)
  const counts = [1, 2, 3].map(() => /nc=(\w+)/.exec(one.headerFor('PUT', '/x') ?? '')?.[1])
  expect(counts).toEqual(['00000002', '00000003', '00000004'])
})

test.for([
  '',
  'Negotiate',
  'Digest realm="x"',
  digest('SHA-512-256'),
  digest('MD5').replace('auth, auth-int', 'auth-int'),
])('a challenge that can not be met is a refusal: %j', (challenge) => {
  expect(authorization().learn(challenge, undefined)).toBe('refused')
})

test.for(['constructor', '__proto__', 'toString'])(
  'an algorithm called %s is one that nobody has',
  (name) => {
    const challenge = `Digest realm="r", nonce="n", algorithm=${name}, Basic realm="r"`
    expect(asked(challenge)).toMatch(/^Basic /)
  },
)

test('a header that is full of blanks is soon done with', () => {
  const started = performance.now()
  expect(authorization().learn(`Digest${' '.repeat(16_000)}"`, undefined)).toBe('refused')
  expect(performance.now() - started).toBeLessThan(1000)
})
