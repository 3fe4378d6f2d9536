import { Alert, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { showDayOptions, showMeOptions } from '../client/@tanstack/react-query.gen';
import { LoginMatrix } from '../features/accounts/login-matrix';
import { AlarmsPanel } from '../features/alarms/alarms-panel';
import { Counts } from '../features/day/counts';
import { HealthStrip } from '../features/day/health-strip';
import { Timeline } from '../features/day/timeline';
import { Verdict } from '../features/day/verdict';
import { OrdersTable } from '../features/orders/orders-table';
import { PositionsTable } from '../features/positions/positions-table';
import { RunsPanel } from '../features/runs/runs-panel';
import { UnknownPanel } from '../features/unknown/unknown-panel';
import { describeProblem } from '../lib/problem';
import { Shell } from './shell';

const SUMMARY_PERIOD_MS = 3_000;

/** The hero page: is the day healthy, and if not, what to do. */
export function TodayPage() {
  const { data: me } = useQuery({ ...showMeOptions(), refetchInterval: false });
  const summary = useQuery({ ...showDayOptions(), refetchInterval: SUMMARY_PERIOD_MS });
  const isStaff = me?.is_staff === true;
  const day = summary.data;
  return (
    <Shell me={me} day={day?.day}>
      {summary.isError && (
        <Alert color="red" role="alert" title="The summary cannot be loaded">
          {describeProblem(summary.error)}
        </Alert>
      )}
      {day === undefined ? (
        summary.isPending && <Loader aria-label="Loading" />
      ) : (
        <>
          <div className="hero">
            <Verdict summary={day} />
            <Counts summary={day} />
          </div>
          <HealthStrip health={day.health} isOpen={day.is_open} />
          <Timeline phases={day.phases} canTrigger={isStaff} />
        </>
      )}
      <UnknownPanel canResolve={isStaff} />
      <div className="columns">
        <div className="column">
          <LoginMatrix />
          <AlarmsPanel />
          {isStaff && <RunsPanel />}
        </div>
        <div className="column column-wide">
          <PositionsTable />
          <OrdersTable />
        </div>
      </div>
    </Shell>
  );
}
