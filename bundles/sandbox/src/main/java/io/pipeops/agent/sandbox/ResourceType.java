package io.pipeops.agent.sandbox;

import java.util.List;
import java.util.Set;

/**
 * One kind of object that the API serves.
 *
 * @param group API group; empty for the core group
 * @param version version in the group
 * @param plural name in paths
 * @param kind name in objects
 * @param namespaced whether objects live in a namespace
 * @param shortNames abbreviations for command lines
 * @param categories collections it belongs to, such as {@code all}
 * @param subresources names below an object, such as {@code status}
 * @param verbs what can be done with it
 */
record ResourceType(
    String group,
    String version,
    String plural,
    String kind,
    boolean namespaced,
    List<String> shortNames,
    List<String> categories,
    Set<String> subresources,
    List<String> verbs) {
  String apiVersion() {
    return group.isEmpty() ? version : group + "/" + version;
  }

  /** The plural with its group, as error messages name it. */
  String qualified() {
    return group.isEmpty() ? plural : plural + "." + group;
  }

  String singular() {
    return kind.toLowerCase(java.util.Locale.ROOT);
  }

  String listKind() {
    return kind + "List";
  }

  boolean has(String subresource) {
    return subresources.contains(subresource);
  }

  boolean can(String verb) {
    return verbs.contains(verb);
  }

  /** Whether objects are kept, as opposed to a review that is answered and forgotten. */
  boolean stored() {
    return can("update");
  }

  @Override
  public String toString() {
    return qualified();
  }
}
