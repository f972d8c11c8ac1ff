import { expect, test } from 'vitest'
import { checkPublished } from './check-published.ts'

const object = { sink: 'any', key: 'packs/a', sentBytes: 10 }

test('what is there with its length is believed; what is not there, or has another length, is not', () => {
  expect(checkPublished({ ...object, thereBytes: 10 })).toBeUndefined()
  const absent = () => checkPublished({ ...object, thereBytes: undefined })
  expect(absent).toThrow(expect.objectContaining({ code: 'protocol', key: 'packs/a', retryable: false }))
  const cut = () => checkPublished({ ...object, thereBytes: 0 })
  expect(cut).toThrow(expect.objectContaining({ code: 'corrupt', key: 'packs/a' }))
})
