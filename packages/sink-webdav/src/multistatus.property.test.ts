import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readMultistatus } from './multistatus.ts'

const read = (xml: string | Uint8Array) => readMultistatus(typeof xml === 'string' ? Buffer.from(xml) : xml)

// As Apache 2.4 and sabre/dav write them, and as a server may that is neither.
const APACHE = `<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:ns0="DAV:">
<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">
<D:href>/dav/a%20b/</D:href>
<D:propstat>
<D:prop>
<lp1:resourcetype><D:collection/></lp1:resourcetype>
<lp1:getlastmodified>Mon, 23 Nov 2026 16:00:00 GMT</lp1:getlastmodified>
</D:prop>
<D:status>HTTP/1.1 200 OK</D:status>
</D:propstat>
<D:propstat>
<D:prop>
<ns0:getcontentlength/></D:prop>
<D:status>HTTP/1.1 404 Not Found</D:status>
</D:propstat>
</D:response>
</D:multistatus>
`
const ODD = `\uFEFF<?xml version='1.0'?><!-- < -- a > comment -->
<multistatus xmlns="DAV:"><response><href><![CDATA[/x/<&]]>&amp;&#x41;&#66;€</href>
<propstat><status>HTTP/2 404 </status><prop><getcontentlength/><x:y xmlns:x="urn:y>">z</x:y></prop></propstat>
<propstat><prop><resourcetype/><getcontentlength> 7 </getcontentlength><f xmlns="urn:f"><g>1<h/></g>2</f></prop><status>HTTP/1.1 200 OK</status></propstat>
</response><response><href>/gone</href><status>HTTP/1.1 404 Not Found</status></response></multistatus>`

test("Apache's answer is read: what was found, and not what was not", async () => {
  const [response] = await read(APACHE)
  expect(response?.href).toBe('/dav/a%20b/')
  expect([...(response?.properties ?? [])]).toEqual([
    ['{DAV:}resourcetype', { text: '', elements: ['collection'] }],
    ['{DAV:}getlastmodified', { text: 'Mon, 23 Nov 2026 16:00:00 GMT', elements: [] }],
  ])
})

test('a mark of order, comments, CDATA, entities, default namespaces and any order of parts are read', async () => {
  const [first, second] = await read(ODD)
  expect(first?.href).toBe('/x/<&&AB€')
  expect(first?.properties.get('{DAV:}getcontentlength')).toEqual({ text: '7', elements: [] })
  expect(first?.properties.get('{urn:f}f')?.elements).toEqual(['g'])
  expect(first?.properties.has('{urn:y>}y')).toBe(false)
  expect(second).toMatchObject({ href: '/gone', status: 404 })
})

test.for([
  ['Apache', APACHE.trimEnd()],
  ['an odd server', ODD],
] as const)('the answer of %s is never taken for whole when it was cut, wherever', async ([, xml]) => {
  const bytes = Buffer.from(xml)
  for (let length = 0; length < bytes.length; length++) {
    await expect(read(bytes.subarray(0, length)), `cut after ${length} bytes`).rejects.toThrow(Error)
  }
})

test.for([
  '<html><body>Login</body></html>',
  '<multistatus xmlns="urn:other"/>',
  '<!DOCTYPE m [<!ENTITY a "b">]><D:multistatus xmlns:D="DAV:"/>',
  '<D:multistatus xmlns:D="DAV:">&unknown;</D:multistatus>',
  '<D:multistatus xmlns:D="DAV:"><D:response></D:multistatus></D:response>',
  '<D:multistatus xmlns:D="DAV:"><D:response></D:response></D:multistatus>',
  '<D:multistatus/>',
  '<D:multistatus xmlns:D="DAV:"/><D:multistatus xmlns:D="DAV:"/>',
  '<D:multistatus xmlns:D="DAV:"/>more',
  'no XML at all',
  '{"json": true}',
  '',
])('%j is no answer', async (xml) => {
  await expect(read(xml)).rejects.toThrow(SyntaxError)
})

test('what is no UTF-8, and what is nested without end, is no answer', async () => {
  await expect(read(Buffer.from('<D:multistatus xmlns:D="DAV:">\xff', 'latin1'))).rejects.toThrow(SyntaxError)
  const deep = '<D:a xmlns:D="DAV:">'.repeat(1000)
  await expect(read(`<D:multistatus xmlns:D="DAV:">${deep}`)).rejects.toThrow(SyntaxError)
})

const text = fc
  .string({ unit: 'grapheme-composite', maxLength: 40 })
  .filter((one) => !/[\p{Cc}\uFFFE\uFFFF]/u.test(one))
const escape = (value: string) => value.replace(/[<&>"]/g, (character) => `&#${character.charCodeAt(0)};`)

test('any href and any text comes back as it was written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(text, text)), async (all) => {
      const responses = all.map(
        ([href, value]) =>
          `<d:response><d:href>${escape(href)}</d:href><d:propstat><d:prop><v xmlns="urn:v">${escape(value)}</v></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`,
      )
      const found = await read(`<d:multistatus xmlns:d="DAV:">${responses.join('\n')}</d:multistatus>`)
      expect(found.map(({ href, properties }) => [href, properties.get('{urn:v}v')?.text])).toEqual(
        all.map(([href, value]) => [href.trim(), value.trim()]),
      )
    }),
  )
})

test('what the parser has no room for, and what the validator says at length, is no answer', async () => {
  const deep = `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`
  await expect(read(`<D:multistatus xmlns:D="DAV:">${deep}</D:multistatus>`)).rejects.toThrow(SyntaxError)
  const long = read(`<D:multistatus xmlns:D="DAV:"><${'[\n'.repeat(5000)}></D:multistatus>`)
  await expect(long).rejects.toThrow(/^.{1,200}$/)
})
