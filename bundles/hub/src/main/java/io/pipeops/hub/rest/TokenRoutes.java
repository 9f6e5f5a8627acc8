package io.pipeops.hub.rest;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.hub.store.AccessToken;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.IssuedToken;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tokens for agents and for the Kubernetes API of a cluster: made, listed, revoked. */
final class TokenRoutes {
  private static final Logger log = LoggerFactory.getLogger(TokenRoutes.class);
  private static final String AGENT = "/api/v1/agent-tokens";
  private static final String CLIENT = "/api/v1/clusters/{cluster}/tokens";

  private final HubStore store;
  private final LiveSessions sessions;

  TokenRoutes(HubStore store, LiveSessions sessions) {
    this.store = store;
    this.sessions = sessions;
  }

  List<Route> routes() {
    return List.of(
        new Route("POST", CLIENT, false, this::createClient),
        new Route("GET", CLIENT, false, this::listClient),
        new Route("DELETE", CLIENT + "/{token}", false, this::revokeClient),
        new Route("POST", AGENT, false, this::createAgent),
        new Route("GET", AGENT, false, this::listAgent),
        new Route("DELETE", AGENT + "/{token}", false, this::revokeAgent));
  }

  private Answer createClient(Call call) throws Problem, IOException {
    call.query(Set.of());
    Body body = call.body(Set.of("name", "ttl"));
    Duration lifetime =
        body.text("ttl").isPresent() ? Lifetime.parse(body.text("ttl").get()) : Lifetime.DEFAULT;
    IssuedToken issued = issueClient(store, call.path("cluster"), named(body), lifetime);
    return created(issued);
  }

  private static String named(Body body) throws Problem {
    if (body.name().isEmpty()) {
      throw Problem.badRequest(
          "name is missing", "Give the token a name that tells later what it was for");
    }
    return body.name().get();
  }

  static IssuedToken issueClient(HubStore store, String cluster, String name, Duration lifetime)
      throws Problem {
    try {
      IssuedToken issued = store.issueClientToken(cluster, name, lifetime);
      log.info("Token created kind=client id={} cluster={}", issued.token().id(), cluster);
      return issued;
    } catch (IllegalArgumentException e) {
      throw Problem.noCluster(cluster);
    } catch (IllegalStateException e) {
      throw tooMany(e);
    }
  }

  private static Problem tooMany(IllegalStateException e) {
    return new Problem(
        409,
        "too-many-tokens",
        "There are too many tokens",
        e.getMessage(),
        "Revoke tokens that are not used any more");
  }

  private Answer createAgent(Call call) throws Problem, IOException {
    call.query(Set.of());
    Body body = call.body(Set.of("name", "ttl", "cluster_id"));
    String name = named(body);
    // An agent must come back for years: it gets an end only when one is asked for.
    Duration lifetime =
        body.text("ttl").isPresent() ? Lifetime.parse(body.text("ttl").get()) : null;
    String cluster = body.text("cluster_id").orElse("");
    if (!cluster.isEmpty() && !Page.isId(cluster)) {
      throw Problem.badRequest(
          "cluster_id is not an id", "Give a cluster's id, or leave it out for a new cluster");
    }
    try {
      IssuedToken issued = store.issueAgentToken(name, cluster, lifetime);
      log.info("Token created kind=agent id={}", issued.token().id());
      return created(issued);
    } catch (IllegalArgumentException e) {
      throw Problem.noCluster(cluster);
    } catch (IllegalStateException e) {
      throw tooMany(e);
    }
  }

  private static Answer created(IssuedToken issued) {
    return Answer.json(
        201,
        json -> {
          json.writeStartObject();
          writeFields(json, issued.token());
          json.writeStringField("token", issued.text());
          json.writeEndObject();
        });
  }

  private Answer listClient(Call call) throws Problem {
    Page page = Page.of(call.query(Page.PARAMETERS));
    String cluster = call.path("cluster");
    if (store.cluster(cluster).isEmpty()) {
      throw Problem.noCluster(cluster);
    }
    return page.answer(
        store.clientTokens(cluster, page.after(), page.limit()),
        AccessToken::id,
        TokenRoutes::write);
  }

  private Answer listAgent(Call call) throws Problem {
    Page page = Page.of(call.query(Page.PARAMETERS));
    return page.answer(
        store.agentTokens(page.after(), page.limit()), AccessToken::id, TokenRoutes::write);
  }

  private Answer revokeClient(Call call) throws Problem {
    call.query(Set.of());
    String cluster = call.path("cluster");
    String token = call.path("token");
    if (!store.revokeClientToken(cluster, token)) {
      throw Problem.noToken(token, "/api/v1/clusters/" + cluster + "/tokens");
    }
    log.info("Token revoked kind=client id={} cluster={}", token, cluster);
    return Answer.empty(204);
  }

  private Answer revokeAgent(Call call) throws Problem {
    call.query(Set.of());
    String token = call.path("token");
    if (!store.revokeAgentToken(token)) {
      throw Problem.noToken(token, AGENT);
    }
    log.info("Token revoked kind=agent id={}", token);
    sessions.disconnectCredential(token, "the agent's token was revoked");
    return Answer.empty(204);
  }

  private static void write(JsonGenerator json, AccessToken token) throws IOException {
    json.writeStartObject();
    writeFields(json, token);
    json.writeEndObject();
  }

  private static void writeFields(JsonGenerator json, AccessToken token) throws IOException {
    json.writeStringField("id", token.id());
    json.writeStringField("name", token.name());
    if (token.clusterId().isPresent()) {
      json.writeStringField("cluster_id", token.clusterId().get());
    } else {
      json.writeNullField("cluster_id");
    }
    json.writeStringField("state", state(token));
    json.writeStringField("created", token.created().toString());
    ClusterRoutes.writeTime(json, "expires", token.expires());
    ClusterRoutes.writeTime(json, "last_used", token.lastUsed());
    ClusterRoutes.writeTime(json, "revoked", token.revoked());
  }

  private static String state(AccessToken token) {
    if (token.revoked().isPresent()) {
      return "revoked";
    }
    return token.valid(Instant.now()) ? "valid" : "expired";
  }
}
