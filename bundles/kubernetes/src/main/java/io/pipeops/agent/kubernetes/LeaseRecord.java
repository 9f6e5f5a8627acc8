package io.pipeops.agent.kubernetes;

import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A Lease as it was read (coordination.k8s.io/v1), whoever wrote it: what is missing or not what it
 * should be counts as not said.
 */
final class LeaseRecord {
  private static final Duration LONGEST = Duration.ofHours(1);

  private final Map<String, Object> object;
  private final Map<String, Object> spec;

  LeaseRecord(Map<String, Object> object) {
    this.object = object;
    this.spec = Json.child(object, "spec");
  }

  /** Who leads; empty if nobody does. */
  String holder() {
    return Json.text(spec, "holderIdentity");
  }

  /** What distinguishes this state of the object from all others. */
  String version() {
    return Json.text(Json.child(object, "metadata"), "resourceVersion");
  }

  /** How long it is good; what its holder wrote, else the own setting. */
  Duration duration(Duration otherwise) {
    long seconds = spec.get("leaseDurationSeconds") instanceof Number n ? n.longValue() : 0;
    if (seconds <= 0) {
      return otherwise;
    }
    return seconds > LONGEST.toSeconds() ? LONGEST : Duration.ofSeconds(seconds);
  }

  Instant renewed() {
    return instant("renewTime");
  }

  /** The term of its holder: when it took the lease, in microseconds of the epoch; 0 if unknown. */
  long term() {
    Instant acquired = instant("acquireTime");
    return Math.max(0, ChronoUnit.MICROS.between(Instant.EPOCH, acquired));
  }

  private Instant instant(String key) {
    try {
      return Instant.parse(Json.text(spec, key));
    } catch (DateTimeException e) {
      return Instant.EPOCH;
    }
  }

  private long transitions() {
    return spec.get("leaseTransitions") instanceof Number n ? n.longValue() : 0;
  }

  /** The object as it is to be once this agent has taken it. */
  Map<String, Object> taken(String identity, Duration lease, long term) {
    Map<String, Object> made = copy();
    Map<String, Object> to = Json.grow(made, "spec");
    to.put("leaseTransitions", holder().equals(identity) ? transitions() : transitions() + 1);
    return held(made, identity, lease, term);
  }

  /** The object as it is to be once its holder has renewed it. */
  Map<String, Object> renewed(String identity, Duration lease, long term) {
    return held(copy(), identity, lease, term);
  }

  /** The object as it is to be once its holder has given it away. */
  Map<String, Object> released() {
    Map<String, Object> made = copy();
    Map<String, Object> to = Json.grow(made, "spec");
    to.remove("holderIdentity");
    to.put("leaseDurationSeconds", 1);
    to.put("renewTime", text(Instant.now()));
    return made;
  }

  /** An object that is not there yet. */
  static Map<String, Object> fresh(
      String namespace, String name, String identity, Duration lease, long term) {
    Map<String, Object> made = new LinkedHashMap<>();
    made.put("apiVersion", "coordination.k8s.io/v1");
    made.put("kind", "Lease");
    Map<String, Object> metadata = Json.grow(made, "metadata");
    metadata.put("name", name);
    metadata.put("namespace", namespace);
    Map<String, Object> labels = Json.grow(metadata, "labels");
    labels.put("app.kubernetes.io/name", "pipeops-agent");
    labels.put("app.kubernetes.io/component", "lease");
    labels.put("app.kubernetes.io/managed-by", "pipeops-agent");
    Json.grow(made, "spec").put("leaseTransitions", 0);
    return held(made, identity, lease, term);
  }

  private static Map<String, Object> held(
      Map<String, Object> made, String identity, Duration lease, long term) {
    Map<String, Object> to = Json.grow(made, "spec");
    to.put("holderIdentity", identity);
    to.put("leaseDurationSeconds", (int) Math.max(1, lease.toSeconds()));
    to.put("acquireTime", text(Instant.EPOCH.plus(term, ChronoUnit.MICROS)));
    to.put("renewTime", text(Instant.now()));
    return made;
  }

  private Map<String, Object> copy() {
    Map<String, Object> copy = new LinkedHashMap<>(object);
    Map<String, Object> metadata = new LinkedHashMap<>(Json.child(object, "metadata"));
    metadata.remove("managedFields");
    copy.put("metadata", metadata);
    copy.put("spec", new LinkedHashMap<>(spec));
    return copy;
  }

  /** With six digits behind the point, as the API server wants it and no other way. */
  private static String text(Instant time) {
    String micros = Integer.toString(time.getNano() / 1000);
    String seconds = time.truncatedTo(ChronoUnit.SECONDS).toString();
    return seconds.substring(0, seconds.length() - 1)
        + "."
        + "0".repeat(6 - micros.length())
        + micros
        + "Z";
  }
}
