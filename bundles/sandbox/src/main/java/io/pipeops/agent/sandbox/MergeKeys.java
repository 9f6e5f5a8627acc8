package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;

/**
 * How the lists and maps of the built-in kinds merge: which lists are keyed and by what, which are
 * sets, which are replaced as a whole. Looked up by the last two field names of the path, because
 * the same name may mean different lists ({@code ports} of a container and of a Service).
 */
final class MergeKeys {
  private static final Map<String, List<String>> KEYED =
      Map.ofEntries(
          Map.entry("containers", List.of("name")),
          Map.entry("initContainers", List.of("name")),
          Map.entry("ephemeralContainers", List.of("name")),
          Map.entry("env", List.of("name")),
          Map.entry("containers.ports", List.of("containerPort", "protocol")),
          Map.entry("initContainers.ports", List.of("containerPort", "protocol")),
          Map.entry("ephemeralContainers.ports", List.of("containerPort", "protocol")),
          Map.entry("spec.ports", List.of("port", "protocol")),
          Map.entry("volumes", List.of("name")),
          Map.entry("volumeMounts", List.of("mountPath")),
          Map.entry("volumeDevices", List.of("devicePath")),
          Map.entry("imagePullSecrets", List.of("name")),
          Map.entry("hostAliases", List.of("ip")),
          Map.entry("topologySpreadConstraints", List.of("topologyKey", "whenUnsatisfiable")),
          Map.entry("resourceClaims", List.of("name")),
          Map.entry("status.conditions", List.of("type")),
          Map.entry("status.addresses", List.of("type")),
          Map.entry("status.podIPs", List.of("ip")),
          Map.entry("spec.taints", List.of("key")),
          Map.entry("metadata.ownerReferences", List.of("uid")),
          Map.entry("secrets", List.of("name")));

  private static final List<String> SETS = List.of("metadata.finalizers");

  private static final List<String> ATOMIC_MAPS =
      List.of(
          "spec.selector",
          "nodeSelector",
          "fieldRef",
          "resourceFieldRef",
          "configMapKeyRef",
          "secretKeyRef");

  private MergeKeys() {}

  private static String tail(String parent, String field) {
    return parent + "." + field;
  }

  /** The fields that tell items apart; empty if the list is no keyed list. */
  static List<String> keys(String parent, String field) {
    List<String> keys = KEYED.get(tail(parent, field));
    return keys == null ? KEYED.getOrDefault(field, List.of()) : keys;
  }

  /** The one key of a strategic merge patch; empty if the list is replaced. */
  static String patchKey(String parent, String field) {
    List<String> keys = keys(parent, field);
    return keys.isEmpty() ? "" : keys.getFirst();
  }

  /** Whether the list is a set of plain values. */
  static boolean set(String parent, String field) {
    return SETS.contains(tail(parent, field));
  }

  /** Whether the map has one owner as a whole. */
  static boolean atomicMap(String parent, String field) {
    return ATOMIC_MAPS.contains(tail(parent, field)) || ATOMIC_MAPS.contains(field);
  }

  /** A missing protocol means TCP. */
  static JsonNode value(JsonNode item, String key) {
    JsonNode value = item.path(key);
    return value.isMissingNode() && key.equals("protocol")
        ? com.fasterxml.jackson.databind.node.TextNode.valueOf("TCP")
        : value;
  }

  static boolean same(JsonNode one, JsonNode other, List<String> keys) {
    return keys.stream()
        .allMatch(key -> value(one, key).asText().equals(value(other, key).asText()));
  }
}
