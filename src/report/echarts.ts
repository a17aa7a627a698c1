/** The part of echarts that reports draw with: it runs without a browser and needs no script in the page. */
import { BarChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

use([BarChart, LineChart, ScatterChart, GridComponent, SVGRenderer]);

export { init };
