import { useQuery } from '@tanstack/react-query';

import { showDayOptions, showMeOptions } from '../client/@tanstack/react-query.gen';
import { Asked } from '../components/asked';
import { findSubject, keyOfSubject, SubjectPicker } from '../components/subject-picker';
import { EquityPanel } from '../features/equity/equity-panel';
import { LimitsPanel } from '../features/limits/limits-panel';
import { ScopeSets } from '../features/limits/scope-sets';
import { ByTheClock } from '../features/risk/by-the-clock';
import { KillPanel } from '../features/risk/kill-panel';
import { LossLocks } from '../features/risk/loss-locks';
import { usePeople } from '../lib/people';
import { setParameter, useParameter } from '../lib/route';
import { currencyOf, type Subject } from '../lib/scopes';
import { Shell } from './shell';

/** What is locked, what is being closed, what binds, and how far from it one is. */
export function RiskPage() {
  const { data: me, error } = useQuery({ ...showMeOptions(), refetchInterval: false });
  const { data: day } = useQuery(showDayOptions());
  const people = usePeople();
  const asked = findSubject(useParameter('of'), people);
  const [first] = people.accounts;
  const subject: Subject | undefined = asked ?? (first && { kind: 'account', id: first.id });
  return (
    <Shell me={me} day={day?.day}>
      <Asked what="Who you are" error={error} isPending={false} />
      <LossLocks canUnlock={me?.is_staff === true} />
      <KillPanel />
      <Asked what="Accounts" error={people.error} isPending={people.isPending} />
      {subject === undefined
        ? !people.isPending && <p className="panel empty">There is no account yet, so nothing is limited.</p>
        : me !== undefined && (
            <>
              <div className="panel subject">
                <SubjectPicker
                  people={people}
                  subject={subject}
                  onPick={(picked) => {
                    setParameter('of', keyOfSubject(picked));
                  }}
                />
              </div>
              <div className="risk-columns">
                <EquityPanel subject={subject} currency={currencyOf(subject, people)} />
                <LimitsPanel subject={subject} people={people} />
                <ScopeSets key={keyOfSubject(subject)} subject={subject} people={people} me={me} />
              </div>
            </>
          )}
      <ByTheClock />
    </Shell>
  );
}
