import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, name, text } from '../config/values.ts'
import { databaseNames } from '../providers/database-server.ts'
import { parseAnswer } from './parse-answer.ts'

const PORT = z.number().int().min(1).max(65_535).optional()

test.for<[string, z.ZodType, string, unknown]>([
  ['text', text, '22', '22'],
  ['a number', PORT, '22', 22],
  ['a list', z.array(text), 'a@b.c, d@e.f', ['a@b.c', 'd@e.f']],
  ['a list as in YAML', command, '[notify-send, "done, at last"]', ['notify-send', 'done, at last']],
  ['a word that is no list', databaseNames, 'all', 'all'],
  ['a list of one', databaseNames, 'shop', ['shop']],
])('%s is what the schema takes', ([, schema, answer, value]) => {
  expect(parseAnswer(schema, answer)).toEqual({ value })
})

test.for<[string, z.ZodType, string, string | RegExp]>([
  ['the schema says what is wrong', name, 'Big', /can't be a name/],
  ['a number that is too large', PORT, '70000', /65535/],
  ['what is no number', PORT, 'ssh', 'is not of the right kind'],
  ['a list that is not closed', command, '[a, "b]', /./],
  ['nothing', text, '', 'must not be empty'],
])('%s', ([, schema, answer, mistake]) => {
  expect(parseAnswer(schema, answer)).toEqual({ mistake: expect.stringMatching(mistake) as string })
})
