"""Homes and sentences for the intent benchmarks, and hassil as Home Assistant uses it: what both matchers are given is the same."""
import json
import random

import yaml
from hassil import Intents, TextSlotList, recognize_best
from hassil.expression import Alternative, ListReference, Permutation, RuleReference, Sequence, TextChunk
from hassil.intents import TextSlotValue, WildcardSlotList
from hassil.numbers import get_rbnf_engine
from hassil.trie import Trie

FREE_TEXT = ["bohemian rhapsody", "dinner is ready", "pizza", "milk and eggs", "open the garage door", "take out the trash", "jazz"]
ROOMS = ["Kitchen", "Bedroom", "Living Room", "Office", "Garage", "Bathroom", "Hallway", "Guest Room", "Cellar", "Attic"]
FLOORS = ["Ground Floor", "Upstairs", "Basement"]
KINDS = [("light", "Lamp", {}), ("light", "Light", {}), ("switch", "Switch", {}), ("fan", "Fan", {}), ("cover", "Curtain", {"device_class": "curtain"}),
         ("lock", "Door", {}), ("climate", "Thermostat", {}), ("media_player", "Speaker", {}), ("sensor", "Temperature", {"device_class": "temperature"})]
PLACES = ["Left", "Right", "Ceiling", "Table", "Corner", "Window", "Wall", "Floor", "Shelf", "Desk", "Sofa", "Bed", "Sink", "Mirror", "Stair", "Porch"]


def make_home(entities, seed=1):
    """A home in the layout of the collection's fixtures, with as many things as asked for."""
    rng = random.Random(seed)
    rooms = [f"{room} {i}" if i else room for i in range(max(1, entities // 200)) for room in ROOMS][:max(10, entities // 20)]
    home = {"floors": [{"name": name, "id": f"floor_{i}"} for i, name in enumerate(FLOORS)],
            "areas": [{"name": name, "id": f"area_{i}", "floor": f"floor_{i % len(FLOORS)}"} for i, name in enumerate(rooms)], "entities": []}
    for i in range(entities):
        domain, noun, attributes = KINDS[i % len(KINDS)]
        area = rng.randrange(len(rooms))
        name = f"{rooms[area]} {rng.choice(PLACES)} {noun}" + (f" {i}" if i >= 100 else "")
        home["entities"].append({"name": name, "id": f"{domain}.thing_{i}", "area": f"area_{area}", "state": "on", "attributes": attributes})
    return home


class Hassil:
    """recognize_best with the name list narrowed to names that occur in the sentence, as Home Assistant does it."""

    def __init__(self, collection, home):
        with open(collection, encoding="utf-8") as file:
            self.intents = Intents.from_dict(json.load(file) if collection.endswith(".json") else yaml.safe_load(file))
        self.areas = TextSlotList.from_strings([a["name"] for a in home["areas"]], name="area")
        self.floors = TextSlotList.from_strings([f["name"] for f in home["floors"]], name="floor")
        self.names = []
        self.trie = Trie()
        for entity in home["entities"]:
            context = {"domain": entity["id"].split(".")[0], **(entity.get("attributes") or {})}
            for value in TextSlotList.from_tuples([(entity["name"], entity["name"], context)], name="name").values:
                self.names.append(value)
                self.trie.insert(entity["name"].casefold(), value)

    def match(self, text, area=None, all_names=False):
        found = self.names if all_names else [value for _end, _text, value in self.trie.find(text.casefold(), unique=False)]
        lists = {"area": self.areas, "floor": self.floors, "name": TextSlotList(name="name", values=found)}
        best = recognize_best(text, self.intents, slot_lists=lists, intent_context={"area": area} if area else {}, best_slot_name="name",
                              best_metadata_key="custom")
        return (best.intent.name, {name: entity.value for name, entity in best.entities.items()}) if best else (None, {})


def _draw(rng, part, rules, lists, language):
    if isinstance(part, TextChunk):
        return part.original_text
    if isinstance(part, Alternative):
        return _draw(rng, rng.choice(part.items), rules, lists, language)
    if isinstance(part, Permutation):
        return "".join(_draw(rng, item, rules, lists, language) for item in rng.sample(part.items, len(part.items)))
    if isinstance(part, Sequence):
        return "".join(_draw(rng, item, rules, lists, language) for item in part.items)
    if isinstance(part, RuleReference):
        return _draw(rng, rules[part.rule_name].expression, rules, lists, language)
    assert isinstance(part, ListReference), part
    values = lists[part.list_name]
    if isinstance(values, TextSlotList):
        value = rng.choice(values.values)
        return _draw(rng, value.text_in, rules, lists, language) if isinstance(value, TextSlotValue) else value
    if isinstance(values, WildcardSlotList):
        return rng.choice(FREE_TEXT)
    number = rng.choice(list(values.get_numbers()))
    if rng.random() < 0.5:
        return str(number)
    return rng.choice(sorted(set(get_rbnf_engine(language).format_number(number).text_by_ruleset.values())))


def sample(hassil, count, seed):
    """Sentences that the templates stand for, every template as likely as any other."""
    rng = random.Random(seed)
    intents = hassil.intents
    lists = {**intents.slot_lists, "area": hassil.areas, "floor": hassil.floors, "name": TextSlotList(name="name", values=hassil.names)}
    templates = [(sentence, {**intents.expansion_rules, **data.expansion_rules}, {**lists, **data.slot_lists})
                 for intent in intents.intents.values() for data in intent.data for sentence in data.sentences]
    out = []
    while len(out) < count:
        sentence, rules, known = rng.choice(templates)
        text = " ".join(_draw(rng, sentence.expression, rules, known, intents.language).split())
        if text:
            out.append(text)
    return out


def mutate(sentences, seed, language="en"):
    """Each sentence with one to three changes: words lost, doubled, swapped, exchanged, glued, misspelt, numbers in the other form, capitals or
    punctuation."""
    rng = random.Random(seed)
    vocabulary = sorted({word for text in sentences for word in text.split()})

    def change(text):
        words = text.split()
        at, kind = rng.randrange(len(words)), rng.randrange(11)
        if kind == 0 and len(words) > 1:
            del words[at]
        elif kind == 1:
            words.insert(at, words[at])
        elif kind == 2:
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif kind == 3:
            words[at] = rng.choice(vocabulary)
        elif kind == 4:
            words.insert(at, rng.choice(vocabulary))
        elif kind == 5:
            words[at] = words[at].capitalize() + rng.choice([",", ".", "?", "!", ""])
        elif kind == 6 and len(words[at]) > 2:
            letter = rng.randrange(len(words[at]))
            words[at] = words[at][:letter] + rng.choice("aeilnorst") + words[at][letter + 1:]
        elif kind == 7 and at + 1 < len(words):
            words[at:at + 2] = [words[at] + rng.choice(["", "-", "_"]) + words[at + 1]]
        elif kind == 8:
            digits = [i for i, word in enumerate(words) if word.isdigit()]
            if digits:
                at = rng.choice(digits)
                words[at] = rng.choice(sorted(set(get_rbnf_engine(language).format_number(int(words[at])).text_by_ruleset.values())))
        elif kind == 9:
            return text.upper() if rng.random() < 0.5 else text.title()
        else:
            words.insert(at, rng.choice(["please", "can you", "for me", "could you"]))
        return " ".join(words)

    out = []
    for text in sentences:
        for _ in range(rng.choice([1, 1, 2, 3])):
            text = change(text) or text
        out.append(text)
    return out
