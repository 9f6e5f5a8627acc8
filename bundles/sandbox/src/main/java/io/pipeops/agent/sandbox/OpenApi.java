package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;

/** The description of the API in OpenAPI v3. */
final class OpenApi {
  private final ResourceCatalog catalog;

  OpenApi(ResourceCatalog catalog, Schemas schemas) {
    this.catalog = catalog;
  }

  void serve(Exchange exchange) throws IOException {
    List<String> path = exchange.path();
    if (path.size() == 2 && path.get(1).equals("v3")) {
      ObjectNode index = Json.object();
      index.putObject("paths");
      exchange.answer(200, index);
      return;
    }
    throw ApiException.noSuchPath();
  }
}
