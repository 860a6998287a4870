// Expressions of the theme's templates (x-show="open && !busy"), read by an interpreter of their own: Alpine's own makes
// functions of their text, which needs 'unsafe-eval'. Understood is what the theme writes (docs/production.md, Content
// security policy): values, members, calls, operators, assignments, lists, objects, arrow functions, if, and ";".
(() => {
  const TOKEN =
    /\s*(?:(\d+(?:\.\d+)?)|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|([A-Za-z_$][\w$]*)|(===|!==|=>|==|!=|<=|>=|&&|\|\||\?\?|\?\.|\+\+|--|\+=|-=|\.\.\.|[-+*/%<>=!?:;,.(){}[\]]))/y;
  const ESCAPES = { n: "\n", t: "\t", r: "\r" };
  const CONSTANTS = { true: true, false: false, null: null, undefined };
  // What an expression may name that no component holds. Functions of the theme are declared globally, too.
  const GLOBALS = ["window", "document", "localStorage", "Date", "Math", "JSON", "Object", "Array", "String", "Number", "console"];
  // From the loosest to the tightest.
  const BINARY = [["??"], ["||"], ["&&"], ["==", "!=", "===", "!=="], ["<", ">", "<=", ">="], ["+", "-"], ["*", "/", "%"]];
  const APPLY = {
    "==": (a, b) => a == b, "!=": (a, b) => a != b, "===": (a, b) => a === b, "!==": (a, b) => a !== b,
    "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b,
    "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b, "%": (a, b) => a % b,
  };

  const tokensOf = (text) => {
    const tokens = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const at = TOKEN.lastIndex;
      const found = TOKEN.exec(text);
      if (!found) throw new SyntaxError(`Not understood at ${at}: ${text}`);
      const [, number, string, name, sign] = found;
      if (number !== undefined) tokens.push({ kind: "value", value: Number(number) });
      else if (string !== undefined)
        tokens.push({ kind: "value", value: string.slice(1, -1).replace(/\\(.)/g, (_, one) => ESCAPES[one] ?? one) });
      else if (name !== undefined) tokens.push({ kind: "name", text: name });
      else tokens.push({ kind: "sign", text: sign });
    }
    return tokens;
  };

  const named = (name, scope) => {
    if (name in scope) return scope[name];
    if (GLOBALS.includes(name) || typeof window[name] === "function") return window[name];
    throw new ReferenceError(`${name} is not defined`);
  };

  // A reader turns tokens into functions of a scope. What can be assigned to has `set`, what can be called `owner`.
  class Reader {
    constructor(text) {
      this.tokens = tokensOf(text);
      this.at = 0;
    }

    get next() {
      return this.tokens[this.at];
    }

    is(text, ahead = 0) {
      const token = this.tokens[this.at + ahead];
      return token !== undefined && token.kind !== "value" && token.text === text;
    }

    take(text) {
      if (!this.is(text)) return false;
      this.at += 1;
      return true;
    }

    expect(text) {
      if (!this.take(text)) throw new SyntaxError(`"${text}" expected`);
    }

    name() {
      const token = this.next;
      if (!token || token.kind !== "name") throw new SyntaxError("A name expected");
      this.at += 1;
      return token.text;
    }

    program(end) {
      const steps = [];
      while (this.next && !(end && this.is(end))) {
        if (this.take(";")) continue;
        steps.push(this.statement());
      }
      return (scope) => steps.reduce((_, step) => step(scope), undefined);
    }

    statement() {
      if (!this.take("if")) return this.expression();
      this.expect("(");
      const condition = this.expression();
      this.expect(")");
      const then = this.branch();
      this.take(";");
      const otherwise = this.take("else") ? this.branch() : () => undefined;
      return (scope) => (condition(scope) ? then(scope) : otherwise(scope));
    }

    branch() {
      if (!this.take("{")) return this.statement();
      const steps = this.program("}");
      this.expect("}");
      return steps;
    }

    expression() {
      if (this.isArrow()) return this.arrow();
      const target = this.ternary();
      for (const sign of ["=", "+=", "-="]) {
        if (!this.take(sign)) continue;
        if (!target.set) throw new SyntaxError("Nothing to assign to");
        const value = this.expression();
        if (sign === "=") return (scope) => target.set(scope, value(scope));
        return (scope) => target.set(scope, APPLY[sign[0]](target(scope), value(scope)));
      }
      return target;
    }

    isArrow() {
      if (this.next?.kind === "name" && this.is("=>", 1)) return true;
      if (!this.is("(")) return false;
      let ahead = 1;
      while (this.tokens[this.at + ahead]?.kind === "name" || this.is(",", ahead)) ahead += 1;
      return this.is(")", ahead) && this.is("=>", ahead + 1);
    }

    arrow() {
      const names = [];
      if (this.take("(")) {
        while (!this.take(")")) {
          names.push(this.name());
          this.take(",");
        }
      } else names.push(this.name());
      this.expect("=>");
      const body = this.is("{") ? this.branch() : this.expression();
      return (scope) => (...values) => {
        const own = Object.fromEntries(names.map((name, index) => [name, values[index]]));
        return body(Alpine.mergeProxies([own, scope]));
      };
    }

    ternary() {
      const condition = this.binary(0);
      if (!this.take("?")) return condition;
      const then = this.expression();
      this.expect(":");
      const otherwise = this.expression();
      return (scope) => (condition(scope) ? then(scope) : otherwise(scope));
    }

    binary(level) {
      if (level === BINARY.length) return this.unary();
      let left = this.binary(level + 1);
      for (;;) {
        const sign = BINARY[level].find((one) => this.is(one));
        if (sign === undefined) return left;
        this.at += 1;
        left = this.joined(sign, left, this.binary(level + 1));
      }
    }

    joined(sign, left, right) {
      if (sign === "&&") return (scope) => left(scope) && right(scope);
      if (sign === "||") return (scope) => left(scope) || right(scope);
      if (sign === "??") return (scope) => left(scope) ?? right(scope);
      return (scope) => APPLY[sign](left(scope), right(scope));
    }

    unary() {
      if (this.take("!")) return this.applied((value) => !value);
      if (this.take("-")) return this.applied((value) => -value);
      if (this.take("+")) return this.applied((value) => +value);
      if (this.take("typeof")) return this.applied((value) => typeof value);
      if (this.take("new")) return this.made();
      const target = this.members(this.primary());
      for (const [sign, step] of [["++", 1], ["--", -1]]) {
        if (!this.take(sign)) continue;
        return (scope) => {
          const before = target(scope);
          target.set(scope, before + step);
          return before;
        };
      }
      return target;
    }

    applied(change) {
      const value = this.unary();
      return (scope) => change(value(scope));
    }

    made() {
      const name = this.name();
      const values = this.take("(") ? this.list(")") : () => [];
      return this.members((scope) => new (named(name, scope))(...values(scope)));
    }

    members(target) {
      if (this.take("?.")) return this.members(this.member(target, this.constant(this.name()), true));
      if (this.take(".")) return this.members(this.member(target, this.constant(this.name())));
      if (this.take("[")) {
        const key = this.expression();
        this.expect("]");
        return this.members(this.member(target, key));
      }
      if (this.take("(")) {
        const values = this.list(")");
        const call = (scope) => {
          const owner = target.owner?.(scope);
          const called = target.of ? target.of(owner, scope) : target(scope);
          return target.isOptional && called === undefined ? undefined : called.apply(owner, values(scope));
        };
        return this.members(call);
      }
      return target;
    }

    member(target, key, isOptional = false) {
      const of = (owner, scope) => (isOptional && owner == null ? undefined : owner[key(scope)]);
      const read = (scope) => of(target(scope), scope);
      read.set = (scope, value) => (target(scope)[key(scope)] = value);
      return Object.assign(read, { owner: target, of, isOptional });
    }

    constant(value) {
      return () => value;
    }

    list(end) {
      const items = [];
      while (!this.take(end)) {
        items.push(this.expression());
        if (!this.is(end)) this.expect(",");
      }
      return (scope) => items.map((item) => item(scope));
    }

    object() {
      const entries = [];
      while (!this.take("}")) {
        const token = this.next;
        this.at += 1;
        const key = token.kind === "value" ? token.value : token.text;
        const value = this.take(":") ? this.expression() : this.variable(key);
        entries.push([key, value]);
        if (!this.is("}")) this.expect(",");
      }
      return (scope) => Object.fromEntries(entries.map(([key, value]) => [key, value(scope)]));
    }

    variable(name) {
      const read = (scope) => named(name, scope);
      read.set = (scope, value) => (scope[name] = value);
      // A function of a component is called as its method.
      read.owner = (scope) => (name in scope ? scope : undefined);
      read.of = (_owner, scope) => named(name, scope);
      return read;
    }

    primary() {
      const token = this.next;
      if (!token) throw new SyntaxError("Something is missing at the end");
      this.at += 1;
      if (token.kind === "value") return this.constant(token.value);
      if (token.kind === "name") return token.text in CONSTANTS ? this.constant(CONSTANTS[token.text]) : this.variable(token.text);
      if (token.text === "(") {
        const inner = this.expression();
        this.expect(")");
        return inner;
      }
      if (token.text === "[") return this.list("]");
      if (token.text === "{") return this.object();
      throw new SyntaxError(`"${token.text}" is not understood here`);
    }
  }

  const known = new Map();

  const compile = (text) => {
    if (!known.has(text)) {
      const reader = new Reader(text);
      known.set(text, reader.program());
    }
    return known.get(text);
  };

  const refsOf = (el) => {
    const found = [];
    Alpine.findClosest(el, (one) => (one._x_refs && found.push(one._x_refs), false));
    return Alpine.mergeProxies(found);
  };

  // The magic values the theme uses; $persist and $width come from elsewhere.
  const magics = (el) => ({
    $el: el,
    get $refs() {
      return refsOf(el);
    },
    get $root() {
      return Alpine.closestRoot(el);
    },
    $nextTick: Alpine.nextTick,
    $store: (name) => Alpine.store(name),
    $watch: (text, changed) => {
      const evaluate = Alpine.evaluateLater(el, text);
      Alpine.watch(() => {
        let value;
        evaluate((found) => (value = found));
        return value;
      }, changed);
    },
    $dispatch: (name, detail = {}) =>
      el.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true })),
  });

  const evaluator = (el, expression) => {
    const stack = [magics(el), ...Alpine.closestDataStack(el)];
    return (receive = () => {}, { scope = {}, params = [] } = {}) => {
      const merged = Alpine.mergeProxies([scope, ...stack]);
      try {
        let value = typeof expression === "function" ? expression.apply(merged, params) : compile(expression)(merged);
        if (typeof value === "function" && typeof expression !== "function") value = value.apply(merged, params);
        if (value instanceof Promise) value.then(receive);
        else receive(value);
      } catch (error) {
        console.error(`Expression "${expression}":`, error, el);
      }
    };
  };

  document.addEventListener("alpine:init", () => {
    Alpine.setEvaluator(evaluator);
    // A style given as text would be an inline style; set by its properties it is none.
    Alpine.mapAttributes(({ name, value }) => ({ name: name === "x-bind:style" ? "x-style" : name, value }));
    Alpine.directive("style", (el, { expression }, { evaluateLater, effect }) => {
      const evaluate = evaluateLater(expression);
      effect(() => evaluate((text) => (el.style.cssText = text)));
    });
  });

  window.trackerExpressions = { run: (text, scope) => compile(text)(scope) };
})();
