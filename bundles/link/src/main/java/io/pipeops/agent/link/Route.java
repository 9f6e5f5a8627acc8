package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.PersistedState;
import java.net.URI;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the next connection goes, to the controller or to the gateway, and whether it has to
 * register there (protocol 1.5 to 1.8). Of the connect loop's thread alone.
 */
final class Route {
  private static final Logger log = LoggerFactory.getLogger(Route.class);

  private final Supplier<LinkSettings> settings;
  private final Identity identity;
  private boolean gateway;
  private boolean mustRegister = true;
  private boolean resuming;
  private int gatewayFailures;
  private UnknownTypes unknown = new UnknownTypes();

  Route(Supplier<LinkSettings> settings, Identity identity) {
    this.settings = settings;
    this.identity = identity;
  }

  boolean gateway() {
    return gateway;
  }

  boolean mustRegister() {
    return mustRegister;
  }

  /** The message types that this peer is known to send and nobody here understands. */
  UnknownTypes unknown() {
    return unknown;
  }

  /** The address of the next connection. */
  URI peer() throws ConfigurationException {
    LinkSettings.Peer wanted = settings.get().peer();
    if (!gateway) {
      return PeerUrl.controller(wanted.url(), wanted.insecure());
    }
    PersistedState state = identity.state();
    String uuid = state.clusterUuid().isEmpty() ? state.clusterId() : state.clusterUuid();
    return PeerUrl.gateway(state.gatewayUrl(), wanted.version(), uuid, wanted.insecure());
  }

  /** Whether a gateway is remembered, so that what is known now decides where to begin. */
  boolean remembersGateway() {
    PersistedState state = identity.state();
    return !state.clusterId().isEmpty() && !state.gatewayUrl().isEmpty();
  }

  /** Begins at the remembered gateway, unless other credentials have to be reported first. */
  void begin(Map<String, Object> known) {
    PersistedState state = identity.state();
    if (unchanged(RegisterPayload.text(known, RegisterPayload.TOKEN_FACT), state.clusterToken())
        && unchanged(RegisterPayload.text(known, RegisterPayload.CA_FACT), state.clusterCa())) {
      log.info("Resuming at the gateway cluster_id={}", state.clusterId());
      gateway = true;
      mustRegister = false;
      resuming = true;
    } else {
      log.info("Registering again because the credentials changed");
    }
  }

  private static boolean unchanged(String now, String before) {
    return now.isEmpty() || now.equals(before);
  }

  void toController() {
    gateway = false;
    mustRegister = true;
    resuming = false;
    gatewayFailures = 0;
    unknown = new UnknownTypes();
  }

  void toGateway() {
    gateway = true;
    resuming = false;
    gatewayFailures = 0;
    unknown = new UnknownTypes();
  }

  void registered() {
    mustRegister = false;
  }

  void registerAgain() {
    mustRegister = true;
  }

  void arrived() {
    resuming = false;
    gatewayFailures = 0;
  }

  /**
   * A connection to where this leads could not be made.
   *
   * @return whether another way is to be tried at once
   */
  boolean failed(String reason) {
    if (!gateway) {
      return false;
    }
    boolean resumed = resuming;
    if (resumed || ++gatewayFailures >= settings.get().timing().gatewayAttempts()) {
      toController();
    }
    if (resumed) {
      log.info("Cannot resume: {}; registering", reason);
    }
    return resumed;
  }
}
