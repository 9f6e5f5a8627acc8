package io.pipeops.agent.kubernetes;

import java.time.Duration;

/**
 * How the leader is elected.
 *
 * @param name of the Lease
 * @param lease how long a lease is good without being renewed
 * @param renew pause between two renewals
 * @param deadline without a renewal for so long, the leader stops leading
 * @param retry pause after a failure
 * @param lenient whether it leads where leases cannot be used
 * @param alone whether there is no other replica
 */
record LeaseSettings(
    String name,
    Duration lease,
    Duration renew,
    Duration deadline,
    Duration retry,
    boolean lenient,
    boolean alone) {
  static LeaseSettings of(LeaderConfig config) {
    Duration lease = Duration.ofSeconds(config.lease_seconds());
    Duration renew = Duration.ofSeconds(config.renew_seconds());
    Duration half = lease.dividedBy(2);
    Duration retry = lease.dividedBy(10);
    return new LeaseSettings(
        config.lease_name().trim(),
        lease,
        renew.compareTo(half) > 0 ? half : renew,
        lease.multipliedBy(5).dividedBy(6),
        retry.compareTo(Duration.ofSeconds(2)) > 0 ? Duration.ofSeconds(2) : retry,
        !config.election().equals("always"),
        config.replicas() <= 1);
  }
}
