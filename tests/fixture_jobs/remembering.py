"""Jobs that keep values from one run to the next."""

from jobs import IntegerVar, Job, JSONVar, StringVar


class Remembers(Job):
    """Does what it is told with its values: [[act, key, value], ...]."""

    acts = JSONVar()

    def run(self, acts):
        said = []
        for act, *arguments in acts:
            try:
                said.append(self.act(act, *arguments))
            except (KeyError, TypeError, ValueError) as error:
                said.append(f"{type(error).__name__}: {error}")
        return said

    def act(self, act, key=None, value=None):
        match act:
            case "get":
                return self.store.get(key, "nothing")
            case "[]":
                return self.store[key]
            case "set":
                self.store[key] = value
            case "delete":
                del self.store[key]
            case "in":
                return key in self.store
            case "items":
                return [len(self.store), dict(self.store.items())]
            case "long":
                self.store[key] = "x" * value
            case "odd":
                self.store[key] = "a\x00\ud800"
                return repr(self.store[key])
            case "set a set":
                self.store[key] = {1}


class OnlyLooks(Job):
    """Has no dry runs."""

    class Meta:
        read_only = True

    def run(self):
        self.store["seen"] = self.store.get("seen", 0) + 1
        return self.store["seen"]


class RemembersAndBreaks(Job):
    def run(self):
        self.store["before"] = True
        raise ValueError("broken")


class KeepsMany(Job):
    count = IntegerVar()

    def run(self, count):
        for number in range(count):
            self.store[f"key {number}"] = number
        return len(self.store)


class AsksForValuesItself(Job):
    """Writes to its worker's line what no child of ours would."""

    act = StringVar()
    key = StringVar(required=False)

    def run(self, act, key):
        self._context._line.ask("value", act, key, "{")
