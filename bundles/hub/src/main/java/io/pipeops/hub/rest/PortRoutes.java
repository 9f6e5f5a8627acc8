package io.pipeops.hub.rest;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.hub.ports.PortDesk;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.ServicePort;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Ports of the hub that lead to services of a cluster: opened, listed, closed. */
final class PortRoutes {
  private static final String LIST = "/api/v1/clusters/{cluster}/ports";

  private final HubStore store;
  private final Optional<PortDesk> desk;

  /**
   * @param desk who opens ports; empty if nobody does
   */
  PortRoutes(HubStore store, Optional<PortDesk> desk) {
    this.store = store;
    this.desk = desk;
  }

  List<Route> routes() {
    return List.of(
        new Route("POST", LIST, false, this::create),
        new Route("GET", LIST, false, this::list),
        new Route("DELETE", LIST + "/{port}", false, this::delete));
  }

  private Answer create(Call call) throws Problem, IOException {
    call.query(Set.of());
    Body body =
        call.body(
            Set.of("protocol", "service", "namespace", "service_port", "port"),
            Set.of("service_port", "port"));
    String protocol = body.text("protocol").orElse(PortDesk.TCP);
    if (!protocol.equals(PortDesk.TCP) && !protocol.equals(PortDesk.UDP)) {
      throw Problem.badRequest("protocol is neither tcp nor udp", "Give tcp or udp");
    }
    String service = name(body, "service");
    String namespace = name(body, "namespace");
    int target =
        number(body, "service_port")
            .orElseThrow(
                () -> Problem.badRequest("service_port is missing", "Give the service's port"));
    Optional<Integer> wanted = number(body, "port");
    PortDesk open = desk.filter(each -> each.settings().enabled()).orElseThrow(PortRoutes::off);
    if (wanted.isPresent() && !open.settings().allows(wanted.get())) {
      throw Problem.badRequest(
          "port is not one that the hub may open",
          "Give a port from %d to %d, or none for any of them"
              .formatted(open.settings().from(), open.settings().to()));
    }
    try {
      ServicePort made =
          open.create(call.path("cluster"), protocol, wanted, service, namespace, target);
      return Answer.json(201, json -> write(json, made));
    } catch (IllegalArgumentException e) {
      throw Problem.noCluster(call.path("cluster"));
    } catch (IllegalStateException e) {
      throw new Problem(
          409,
          "port-not-free",
          "The port cannot be opened",
          e.getMessage(),
          "Choose another port, close one that is not needed, or widen hub.port_range");
    }
  }

  private static Problem off() {
    return new Problem(
        409,
        "ports-off",
        "The hub opens no ports",
        "hub.port_range is empty",
        "Set hub.port_range to a range such as 15000-15099 and restart the hub");
  }

  private static String name(Body body, String field) throws Problem {
    String name = body.text(field).orElse("");
    if (!name.matches("[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?")) {
      throw Problem.badRequest(
          field + " is not a name of Kubernetes",
          "Give lower-case letters, digits and dashes, as kubectl get services shows it");
    }
    return name;
  }

  private static Optional<Integer> number(Body body, String field) throws Problem {
    Optional<String> text = body.text(field);
    if (text.isEmpty()) {
      return Optional.empty();
    }
    if (text.get().matches("[0-9]{1,5}")) {
      int number = Integer.parseInt(text.get());
      if (number >= 1 && number <= 65535) {
        return Optional.of(number);
      }
    }
    throw Problem.badRequest(field + " is not a port", "Give a number from 1 to 65535");
  }

  private Answer list(Call call) throws Problem {
    Page page = Page.of(call.query(Page.PARAMETERS));
    String cluster = call.path("cluster");
    if (store.cluster(cluster).isEmpty()) {
      throw Problem.noCluster(cluster);
    }
    return page.answer(
        store.ports(cluster, page.after(), page.limit()), ServicePort::id, this::write);
  }

  private Answer delete(Call call) throws Problem {
    call.query(Set.of());
    String cluster = call.path("cluster");
    String id = call.path("port");
    boolean deleted =
        desk.isPresent() ? desk.get().delete(cluster, id) : store.deletePort(cluster, id);
    if (!deleted) {
      throw new Problem(
          404,
          "no-such-port",
          "There is no such port",
          "The cluster has no port with the id " + id,
          "List the ports with GET /api/v1/clusters/" + cluster + "/ports");
    }
    return Answer.empty(204);
  }

  private void write(JsonGenerator json, ServicePort port) throws IOException {
    json.writeStartObject();
    json.writeStringField("id", port.id());
    json.writeStringField("cluster_id", port.clusterId());
    json.writeStringField("protocol", port.protocol());
    json.writeNumberField("port", port.port());
    json.writeStringField("service", port.service());
    json.writeStringField("namespace", port.namespace());
    json.writeNumberField("service_port", port.targetPort());
    json.writeBooleanField("open", desk.isPresent() && desk.get().isOpen(port.id()));
    json.writeStringField("created", port.created().toString());
    json.writeEndObject();
  }
}
