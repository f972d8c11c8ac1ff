/** Values that JSON can hold and decoders trip over. */
export const JSON_VALUES: readonly string[] = [
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '"\\n"',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  '"constructor"',
  '-1',
  '0',
  '0.5',
  '1e999',
  '9007199254740993',
  '[[]]',
  '{"toString":1,"valueOf":1}',
  '{"__proto__":null,"length":-1}',
  '"2026-11-23T10:00:00.000Z"',
  '"+275760-09-13T00:00:00.001Z"',
  `${'['.repeat(9000)}${']'.repeat(9000)}`,
]

/** Pieces of what decoders look for, in the formats of all the targets: the corpus leads to those that matter to one. */
export const WORDS: readonly Uint8Array[] = [
  JSON_VALUES,
  ['PBPACK\0\u0001', 'PBEND\0\0\u0001', 'PBOBJ\0\0\u0001', 'PBCRYPT\u0001', 'PBGRANT\u0001', '(\xb5/\xfd'],
  ['<!--', '-->', '<![CDATA[', ']]>', '<!DOCTYPE a [<!ENTITY b "c">]>', '&#x41;', '&amp;', '&lt;', '&#0;'],
  ['<d:propstat>', '</d:propstat>', '<d:status>', 'HTTP/1.1 404 Not Found', ' xmlns:d="DAV:"', ' xmlns="'],
  ['<', '>', '/>', '"', "'", '\\', '\r\n', '\n', '\t', ' ', ',', ':', '=', '*', '?', '|1|', '..', '/', '%2e'],
  ['---\n', '- ', '&a ', '*a', '<<: ', '!!binary ', '!!set ', '? ', '? []\n: ', '|\n', '>-\n', '{', '}', '#'],
  [
    'Digest ',
    'nonce="',
    'qop=auth',
    'algorithm=MD5-sess',
    'stale=true',
    'Basic ',
    '\u0000',
    '\ufeff',
    '\u2028',
  ],
  [
    '99999999999999999999',
    '4294967296',
    '-9223372036854775808',
    'NaN',
    'Infinity',
    '1970-01-01',
    '0000/00/00',
  ],
]
  .flat()
  .map((text) => Buffer.from(text, 'latin1'))

/** Numbers at the ends of what one to nine bytes hold, in the encodings of the vault's format. */
export const NUMBERS: readonly Uint8Array[] = [
  '00',
  '01',
  '7f',
  '80',
  'ff',
  'ffff',
  '0000',
  'ffffffff',
  'ffffff7f',
  '00000001',
  '8001',
  'ffffffffffffff0f',
  'ffffffffffffff1f',
  '808080808080808080',
].map((hex) => Buffer.from(hex, 'hex'))
