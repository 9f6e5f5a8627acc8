package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.function.Predicate;

/** Answers {@code get} and {@code list}. */
final class Reads {
  /** Objects of a collection that a request is about. */
  record Choice(Predicate<JsonNode> predicate, boolean everything) {}

  private final ObjectStore store;
  private final TableRenderer tables;

  Reads(ObjectStore store, TableRenderer tables) {
    this.store = store;
    this.tables = tables;
  }

  void get(Exchange exchange, Target target) throws IOException {
    ObjectNode object =
        store
            .get(target.type(), target.namespace(), target.name())
            .orElseThrow(() -> ApiException.notFound(target.type(), target.name()));
    exchange.answer(200, present(exchange, target.type(), object));
  }

  /** One object in the form that was asked for. */
  JsonNode present(Exchange exchange, ResourceType type, ObjectNode object) {
    Accept accept = exchange.accept();
    if (accept.table()) {
      return tables.render(
          type, List.of(object), listMeta(Json.version(object)), exchange.query("includeObject"));
    }
    return accept.metadataOnly() ? TableRenderer.metadata(object) : object;
  }

  static Choice choice(Exchange exchange, Target target) {
    String labels = exchange.query("labelSelector");
    String fields = exchange.query("fieldSelector");
    Predicate<JsonNode> predicate =
        Selectors.labels(labels).and(Selectors.fields(target.type(), fields));
    return new Choice(predicate, labels.isEmpty() && fields.isEmpty());
  }

  void list(Exchange exchange, Target target) throws IOException {
    Choice choice = choice(exchange, target);
    ObjectStore.Listing all = store.list(target.type(), target.namespace());
    long version = all.version();
    List<ObjectNode> items = all.items();
    String token = exchange.query("continue");
    if (token.isEmpty()) {
      checkVersion(exchange, version);
    } else {
      Position position = Position.decode(token);
      if (position.version() < store.oldest()) {
        throw ApiException.expired(position.version(), store.oldest());
      }
      version = position.version();
      items = items.stream().filter(o -> key(o).compareTo(position.after()) > 0).toList();
    }
    List<ObjectNode> chosen = items.stream().filter(choice.predicate()).toList();
    ObjectNode meta = listMeta(version);
    long limit = exchange.number("limit", 0);
    if (limit > 0 && chosen.size() > limit) {
      int left = chosen.size() - (int) limit;
      chosen = chosen.subList(0, (int) limit);
      meta.put("continue", new Position(version, key(chosen.getLast())).encode());
      if (choice.everything()) {
        meta.put("remainingItemCount", left);
      }
    }
    exchange.answer(200, render(exchange, target.type(), chosen, meta));
  }

  private JsonNode render(
      Exchange exchange, ResourceType type, List<ObjectNode> objects, ObjectNode meta) {
    Accept accept = exchange.accept();
    if (accept.table()) {
      return tables.render(type, objects, meta, exchange.query("includeObject"));
    }
    if (accept.metadataOnly()) {
      List<ObjectNode> partial = new ArrayList<>();
      objects.forEach(object -> partial.add(TableRenderer.metadata(object)));
      ObjectNode list = Json.object();
      list.put("kind", "PartialObjectMetadataList").put("apiVersion", "meta.k8s.io/v1");
      list.set("metadata", meta);
      list.putArray("items").addAll(partial);
      return list;
    }
    return list(type, objects, meta);
  }

  /** A list object. Its items name neither kind nor version: the list does. */
  static ObjectNode list(ResourceType type, List<ObjectNode> objects, ObjectNode meta) {
    ObjectNode list = Json.object();
    list.put("kind", type.listKind()).put("apiVersion", type.apiVersion()).set("metadata", meta);
    var items = list.putArray("items");
    for (ObjectNode object : objects) {
      ObjectNode item = Json.object();
      item.setAll(object);
      item.remove(List.of("kind", "apiVersion"));
      items.add(item);
    }
    return list;
  }

  static ObjectNode listMeta(long version) {
    return Json.object().put("resourceVersion", Long.toString(version));
  }

  private void checkVersion(Exchange exchange, long now) {
    long wanted = exchange.number("resourceVersion", 0);
    if (exchange.query("resourceVersionMatch").equals("Exact") && wanted != now) {
      throw ApiException.expired(wanted, now);
    }
    if (wanted > now) {
      throw ApiException.badRequest(
          "resource version %d is not there yet, the newest is %d".formatted(wanted, now));
    }
  }

  private static String key(JsonNode object) {
    return Json.namespace(object) + "/" + Json.name(object);
  }

  /** Where a page ended. */
  private record Position(long version, String after) {
    String encode() {
      String text = version + " " + after;
      return Base64.getUrlEncoder()
          .withoutPadding()
          .encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    static Position decode(String token) {
      try {
        String text = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8);
        int space = text.indexOf(' ');
        return new Position(Long.parseLong(text.substring(0, space)), text.substring(space + 1));
      } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
        throw ApiException.badRequest("the continue parameter is none that was given out here");
      }
    }
  }
}
