package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.InstantSource;
import java.util.List;

/** Objects as rows of a table, the form that command lines print. */
final class TableRenderer {
  private final InstantSource clock;

  TableRenderer(InstantSource clock) {
    this.clock = clock;
  }

  /**
   * A table.
   *
   * @param include {@code None}, {@code Metadata} or {@code Object}: what each row says beside its
   *     cells
   */
  ObjectNode render(
      ResourceType type, List<ObjectNode> objects, ObjectNode listMeta, String include) {
    List<TableColumns.Column> columns = TableColumns.of(type);
    ObjectNode table = Json.object();
    table.put("kind", "Table").put("apiVersion", "meta.k8s.io/v1").set("metadata", listMeta);
    ArrayNode definitions = table.putArray("columnDefinitions");
    for (TableColumns.Column column : columns) {
      definitions
          .addObject()
          .put("name", column.name())
          .put("type", column.type())
          .put("format", column.name().equals("Name") ? "name" : "")
          .put("description", column.description())
          .put("priority", column.wide() ? 1 : 0);
    }
    ArrayNode rows = table.putArray("rows");
    for (ObjectNode object : objects) {
      ObjectNode row = rows.addObject();
      ArrayNode cells = row.putArray("cells");
      for (TableColumns.Column column : columns) {
        cells.add(column.cell().value(object, clock.instant()));
      }
      switch (include) {
        case "None" -> {}
        case "Object" -> row.set("object", object);
        default -> row.set("object", metadata(object));
      }
    }
    return table;
  }

  /** An object without all but its metadata. */
  static ObjectNode metadata(JsonNode object) {
    ObjectNode partial = Json.object();
    partial.put("kind", "PartialObjectMetadata").put("apiVersion", "meta.k8s.io/v1");
    partial.set("metadata", object.path("metadata"));
    return partial;
  }
}
