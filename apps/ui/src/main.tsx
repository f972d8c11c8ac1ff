import { render } from 'preact'
import { App } from './app.tsx'
import './styles/base.css'
import './styles/layout.css'
import './styles/table.css'
import './styles/list.css'
import './styles/grid.css'

const page = document.getElementById('page')
if (page) render(<App />, page)
