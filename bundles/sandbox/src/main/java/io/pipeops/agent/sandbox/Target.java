package io.pipeops.agent.sandbox;

import java.util.List;

/**
 * What a path below {@code /api} or {@code /apis} names.
 *
 * @param type kind of object
 * @param namespace namespace; empty for all of them, or for objects that live in none
 * @param name the object; empty for the collection
 * @param subresource part of the object; empty for the object itself
 * @param rest what follows the subresource, for {@code proxy}
 */
record Target(
    ResourceType type, String namespace, String name, String subresource, List<String> rest) {
  /**
   * Reads a path.
   *
   * @param parts the path from the group's version on
   * @throws ApiException 404 if it leads nowhere
   */
  static Target of(ResourceCatalog catalog, String group, String version, List<String> parts) {
    List<String> path = parts;
    String namespace = "";
    boolean inNamespace =
        path.size() > 2
            && path.getFirst().equals("namespaces")
            && catalog
                .find(group, version, path.get(2))
                .filter(ResourceType::namespaced)
                .isPresent();
    if (inNamespace) {
      namespace = path.get(1);
      path = path.subList(2, path.size());
    }
    ResourceType type =
        catalog.find(group, version, path.getFirst()).orElseThrow(ApiException::noSuchPath);
    String name = path.size() > 1 ? path.get(1) : "";
    String subresource = path.size() > 2 ? path.get(2) : "";
    List<String> rest = path.size() > 3 ? path.subList(3, path.size()) : List.of();
    boolean known = subresource.isEmpty() || type.has(subresource);
    boolean restFits = rest.isEmpty() || subresource.equals("proxy");
    boolean namespaceFits = !type.namespaced() || inNamespace || name.isEmpty();
    if (!known || !restFits || !namespaceFits) {
      throw ApiException.noSuchPath();
    }
    return new Target(type, namespace, name, subresource, rest);
  }
}
