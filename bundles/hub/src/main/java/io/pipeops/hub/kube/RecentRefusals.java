package io.pipeops.hub.kube;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Remembers for a moment why WebSockets were refused. kubectl does not print why; it tries the same
 * by SPDY at once and prints the answer to that, which therefore has to be the first one's. Safe
 * for all threads.
 */
final class RecentRefusals {
  private static final int MOST = 256;
  private static final long KEPT = Duration.ofSeconds(10).toNanos();

  private final Map<String, Refusal> recent =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Refusal> eldest) {
          return size() > MOST;
        }
      };

  private record Refusal(KubeStatus status, long at) {}

  /** Names what was asked and by whom, without keeping the token. */
  static String key(KubePath path, String query, String bearer) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (String part : new String[] {path.clusterId(), path.path(), query, bearer}) {
        digest.update(part.getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  synchronized void note(String key, KubeStatus status) {
    recent.remove(key);
    recent.put(key, new Refusal(status, System.nanoTime()));
  }

  /** Why the same was refused a moment ago. */
  synchronized Optional<KubeStatus> take(String key) {
    Refusal refusal = recent.remove(key);
    return refusal == null || System.nanoTime() - refusal.at > KEPT
        ? Optional.empty()
        : Optional.of(refusal.status);
  }
}
