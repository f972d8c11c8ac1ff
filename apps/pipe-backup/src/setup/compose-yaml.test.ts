import { expect, test } from 'vitest'
import { crossCheckedConfig } from '../config/load-config.ts'
import { parseYaml } from '../config/yaml-document.ts'
import { composeYaml } from './compose-yaml.ts'

const LEAST = {
  vault: 'shop',
  sources: [{ type: 'files', name: 'files', paths: ['/etc', "/with: 'quotes' # and so on"] }],
  sinks: [{ type: 'local', name: 'disk', path: '/mnt/backup' }],
}

test.for([
  ['the least', LEAST],
  [
    'all',
    {
      ...LEAST,
      schedule: '* * * * *',
      keep: { daily: 7 },
      notify: [{ type: 'command', run: ['notify-send', 'a, b'] }],
    },
  ],
] as const)('%s that was answered is read again as it was, in lines of 80 columns', ([, answers]) => {
  const text = composeYaml(answers)
  const config = crossCheckedConfig(parseYaml(text, 'x.yaml'), 'x.yaml')
  expect(config).toMatchObject(answers)
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
})

test('what was left out stands there as a comment, to be taken in', () => {
  const commented = composeYaml(LEAST).replaceAll(/^# (keep|schedule): /gm, '$1: ')
  const config = crossCheckedConfig(parseYaml(commented, 'x.yaml'), 'x.yaml')
  expect(config).toMatchObject({ schedule: '0 3 * * *', keep: { hourly: 24 } })
})
