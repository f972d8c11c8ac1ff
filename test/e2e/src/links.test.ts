import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../../..')
const DOCUMENTS = ['README.md', 'docs/**/*.md', '{packages,apps,test}/*/README.md'].flatMap((pattern) =>
  globSync(pattern, { cwd: ROOT }),
)

/** A document without what only looks like a link: code, in blocks and in lines. */
function prose(text: string): string {
  return text
    .replaceAll(/^(```|~~~)[^]*?^\1/gm, '')
    .replaceAll(/^ {4}.*$/gm, '')
    .replaceAll(/`[^`\n]*`/g, 'code')
}

/** The anchors that GitHub gives to the headings of a document. */
function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of text.replaceAll(/^```[^]*?^```/gm, '').matchAll(/^#{1,6} +(.*?) *#*$/gm)) {
    const words = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/<[^>]*>|&[a-z]+;/g, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-')
    let anchor = words
    for (let i = 1; anchors.has(anchor); i++) anchor = `${words}-${i}`
    anchors.add(anchor)
  }
  return anchors
}

/** What is wrong with a link of a document; undefined when it leads somewhere. */
function complaint(document: string, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return link.startsWith('https:') ? undefined : 'is no https link'
  const [path = '', anchor] = link.split('#')
  const target =
    path === '' ? join(ROOT, document) : resolve(ROOT, dirname(document), decodeURIComponent(path))
  if (!existsSync(target)) return 'leads to no file'
  if (anchor === undefined) return undefined
  if (!statSync(target).isFile() || !anchorsOf(readFileSync(target, 'utf8')).has(anchor))
    return 'leads to no heading'
  return undefined
}

test('there are documents with links', () => {
  expect(DOCUMENTS).toContain('README.md')
  expect(DOCUMENTS).toContain('docs/architecture.md')
  expect(DOCUMENTS).toContain('packages/tar/README.md')
})

test('a link that leads nowhere would be found', () => {
  expect(complaint('README.md', 'docs/no-such-document.md')).toBe('leads to no file')
  expect(complaint('README.md', 'packages/tar/README.md#no-such-heading')).toBe('leads to no heading')
  expect(complaint('packages/tar/README.md', '#errors')).toBe(undefined)
})

test.for(DOCUMENTS)('every link of %s leads somewhere', (document) => {
  const text = prose(readFileSync(join(ROOT, document), 'utf8'))
  const links = [
    ...text.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g),
    ...text.matchAll(/^\[[^\]]+\]: <?(\S+?)>?$/gm),
  ].map(([, link = '']) => link)
  expect(links.flatMap((link) => complaint(document, link)?.replace(/^/, `${link} `) ?? [])).toEqual([])
})
