package io.pipeops.agent.link;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * {@link LinkConfig} as values, so that the rest needs no annotation to be built in a test.
 *
 * @param peer where to connect and as whom; a change of it needs a new connection
 * @param timing how long to wait for what
 * @param limits how much may pile up
 * @param resume how a lost connection is taken up again
 */
record LinkSettings(Peer peer, Timing timing, Limits limits, Resume resume) {
  /** Where to connect and as whom. Holds secrets, so it is never logged. */
  record Peer(
      String url,
      boolean insecure,
      String token,
      String tokenFile,
      String clusterName,
      String agentId,
      Map<String, String> labels,
      TlsFiles tls,
      String proxy,
      List<String> noProxy,
      String version) {
    @Override
    public String toString() {
      return "Peer[url=" + url + ", clusterName=" + clusterName + "]";
    }
  }

  /** Paths of PEM files; empty is none. */
  record TlsFiles(String ca, String cert, String key, boolean skipVerify) {
    static final TlsFiles NONE = new TlsFiles("", "", "", false);
  }

  /** How long to wait for what. */
  record Timing(
      Duration handshake,
      Duration ping,
      Duration read,
      Duration reconnect,
      Duration reconnectMax,
      int gatewayAttempts,
      Duration standby,
      Duration register,
      Duration registerMax,
      Duration stateWait,
      Duration handOver,
      boolean standbyCheck) {}

  /** How much may pile up. */
  record Limits(
      long message,
      long sendBudget,
      long sendStream,
      Duration hold,
      int holdMessages,
      long holdBytes) {}

  /**
   * How a lost connection is taken up again.
   *
   * @param limit for how long; zero is never
   * @param bytes that are kept until the peer has acknowledged them
   */
  record Resume(Duration limit, long bytes) {}

  static LinkSettings of(LinkConfig config, String version) {
    return new LinkSettings(
        new Peer(
            config.url().trim(),
            config.insecure(),
            config.token().trim(),
            config.token_file().trim(),
            config.cluster_name().trim(),
            config.agent_id().trim(),
            labels(config.labels()),
            new TlsFiles(
                config.tls_ca_file().trim(),
                config.tls_cert_file().trim(),
                config.tls_key_file().trim(),
                config.tls_insecure_skip_verify()),
            config.https_proxy().trim(),
            List.of(config.no_proxy()),
            version),
        new Timing(
            Duration.ofMillis(config.handshake_millis()),
            Duration.ofMillis(config.ping_millis()),
            Duration.ofMillis(config.read_millis()),
            Duration.ofMillis(config.reconnect_millis()),
            Duration.ofMillis(Math.max(config.reconnect_millis(), config.reconnect_max_millis())),
            config.gateway_attempts(),
            Duration.ofSeconds(config.standby_seconds()),
            Duration.ofSeconds(config.register_seconds()),
            Duration.ofSeconds(Math.max(config.register_seconds(), config.register_max_seconds())),
            Duration.ofSeconds(config.state_wait_seconds()),
            Duration.ofSeconds(config.hand_over_seconds()),
            config.standby_check()),
        new Limits(
            config.message_max_bytes(),
            config.send_budget_bytes(),
            Math.min(config.send_stream_bytes(), config.send_budget_bytes()),
            Duration.ofMillis(config.hold_millis()),
            config.hold_messages(),
            config.hold_bytes()),
        new Resume(Duration.ofSeconds(config.resume_seconds()), config.resume_max_bytes()));
  }

  private static Map<String, String> labels(String[] pairs) {
    Map<String, String> labels = new LinkedHashMap<>();
    for (String pair : pairs) {
      int equals = pair.indexOf('=');
      if (equals > 0) {
        labels.put(pair.substring(0, equals).trim(), pair.substring(equals + 1).trim());
      }
    }
    return labels;
  }

  /** What is missing or contradicts itself, for an operator; empty if it can be tried. */
  String problem() {
    if (peer.url().isEmpty()) {
      return "no address of the control plane is configured (link.url)";
    }
    if (peer.token().isEmpty() && peer.tokenFile().isEmpty()) {
      return "no token is configured (link.token_file or link.token)";
    }
    if (peer.clusterName().isEmpty()) {
      return "no cluster name is configured (link.cluster_name)";
    }
    try {
      PeerUrl.controller(peer.url(), peer.insecure());
    } catch (ConfigurationException e) {
      return e.getMessage();
    }
    if (peer.tls().cert().isEmpty() != peer.tls().key().isEmpty()) {
      return "a client certificate needs both link.tls_cert_file and link.tls_key_file";
    }
    return "";
  }
}
