// The parts of ECharts that the usage chart needs: loaded with the page that zooms, not before.
import { BarChart, LineChart } from 'echarts/charts';
import { AriaComponent, GridComponent, MarkAreaComponent, TooltipComponent } from 'echarts/components';
import * as core from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

core.use([BarChart, LineChart, GridComponent, TooltipComponent, MarkAreaComponent, AriaComponent, SVGRenderer]);

export { core };
export type { EChartsCoreOption } from 'echarts/core';
