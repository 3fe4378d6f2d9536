/** Say what profit and loss means here, and when a limit is broken, as docs/risk.md does. */
export function RiskBasis() {
  return (
    <details className="basis" open>
      <summary>Basis and formulas</summary>
      <p>
        Profit and loss of the trading date, <b>after charges</b>; nothing is converted, each currency is a
        sum of its own. A mark is the last traded price of that date.
      </p>
      <dl>
        <div>
          <dt>pnl</dt>
          <dd>
            <code>realized + unrealized − charges</code>, unrealized is{' '}
            <code>net quantity × (mark − average entry)</code>
          </dd>
        </div>
        <div>
          <dt>peak</dt>
          <dd>highest pnl of the date that two samples in a row reached, at least 0</dd>
        </div>
        <div>
          <dt>daily loss</dt>
          <dd>
            is broken when <code>pnl ≤ −max_daily_loss</code>
          </dd>
        </div>
        <div>
          <dt>drawdown</dt>
          <dd>
            is broken when <code>peak − pnl ≥ max_drawdown</code>
          </dd>
        </div>
      </dl>
      <p className="dim">
        Sampled once a second; two samples in a row must break a rule. The scope is then closed, verified flat
        and locked for its trading date; exits go on. Only a person unlocks it, with a reason.
      </p>
    </details>
  );
}
