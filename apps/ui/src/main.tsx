import { render } from 'preact'
import { App } from './app.tsx'
import 'uplot/dist/uPlot.min.css'
import './styles/base.css'
import './styles/layout.css'
import './styles/table.css'
import './styles/list.css'
import './styles/grid.css'
import './styles/plot.css'

const page = document.getElementById('page')
if (page) render(<App />, page)
