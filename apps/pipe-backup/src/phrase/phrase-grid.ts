const COLUMNS = 4

/** The words numbered in a grid, column by column as people write them down, with what to do with them. */
export function phraseGrid(phrase: string): string {
  const words = phrase.split(' ')
  const rows = Math.ceil(words.length / COLUMNS)
  const width = Math.max(...words.map((word) => word.length))
  const lines = Array.from({ length: rows }, (_, row) => {
    const cells = Array.from({ length: COLUMNS }, (_, column) => {
      const index = column * rows + row
      const word = words[index]
      return word === undefined ? '' : `${String(index + 1).padStart(2)} ${word.padEnd(width)}`
    })
    return `  ${cells.join('   ')}`.trimEnd()
  })
  return [
    'The recovery phrase. It is shown this once and stored nowhere:',
    '',
    ...lines,
    '',
    'Write it on paper, twice, and keep the two apart from this machine and from each other.',
    'Whoever has it can read every backup. Without it nobody can, not even you.',
    '',
  ].join('\n')
}
