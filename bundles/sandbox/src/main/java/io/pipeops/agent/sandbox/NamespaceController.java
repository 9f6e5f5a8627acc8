package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** Furnishes each namespace, and clears those that are being deleted. */
final class NamespaceController implements Controller {
  /** So long a namespace is seen going. */
  private static final Duration FAREWELL = Duration.ofMillis(300);

  private final Resources resources;
  private final ResourceType namespaces;
  private final ResourceType accounts;
  private final ResourceType configMaps;
  private final String caPem;
  private final Map<String, Instant> going = new HashMap<>();

  NamespaceController(Resources resources, String caPem) {
    this.resources = resources;
    this.namespaces = resources.catalog().get("namespaces");
    this.accounts = resources.catalog().get("serviceaccounts");
    this.configMaps = resources.catalog().get("configmaps");
    this.caPem = caPem;
  }

  @Override
  public Optional<Instant> reconcile(Instant now) {
    Instant due = null;
    for (ObjectNode namespace : resources.store().items(namespaces, "")) {
      if (!Json.deleting(namespace)) {
        furnish(Json.name(namespace));
        continue;
      }
      Instant end = going.computeIfAbsent(Json.uid(namespace), uid -> now.plus(FAREWELL));
      if (now.isBefore(end)) {
        due = due == null || end.isBefore(due) ? end : due;
      } else if (clear(Json.name(namespace))) {
        going.remove(Json.uid(namespace));
        resources.store().remove(namespaces, "", Json.name(namespace));
      }
    }
    return Optional.ofNullable(due);
  }

  private void furnish(String namespace) {
    make(accounts, namespace, "default", Json.object());
    ObjectNode roots = Json.object();
    roots.putObject("data").put("ca.crt", caPem);
    make(configMaps, namespace, "kube-root-ca.crt", roots);
  }

  private void make(ResourceType type, String namespace, String name, ObjectNode object) {
    if (resources.store().get(type, namespace, name).isEmpty()) {
      Json.meta(object).put("name", name);
      resources.create(
          type, namespace, object, new Resources.Write("sandbox-controllers", "", false));
    }
  }

  /** Returns whether nothing is left. What has finalizers stays until they are gone. */
  private boolean clear(String namespace) {
    boolean empty = true;
    ObjectNode now = Json.object().put("gracePeriodSeconds", 0);
    for (ResourceType type : resources.catalog().types()) {
      if (type.stored() && type.namespaced()) {
        for (ObjectNode object : resources.store().items(type, namespace)) {
          ObjectNode left = resources.delete(type, namespace, Json.name(object), now, false);
          empty &= Json.at(left, "metadata", "finalizers").isEmpty();
        }
      }
    }
    return empty;
  }
}
