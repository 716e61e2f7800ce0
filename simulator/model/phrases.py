"""What the demo model says around the facts, in English, Spanish and Portuguese."""

_DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "pt": (
        "segunda-feira",
        "terça-feira",
        "quarta-feira",
        "quinta-feira",
        "sexta-feira",
        "sábado",
        "domingo",
    ),
}
_PHRASES = {
    "en": {
        "hello": "Hello!",
        "welcome": "Hello, and welcome to {name}! How can I help you?",
        "help": "Hello! How can I help you?",
        "thanks": "You're welcome! Just write if there is anything else.",
        "fine": "Great! Just write if there is anything else.",
        "person": "Of course, I'm asking a colleague to take over and answer you here.",
        "missing": "I don't have that information, so I'm asking a colleague to answer you here.",
        "rest": "I couldn't find an answer to the rest.",
        "open": "Yes, we're open on {day}: {spans}.",
        "closed": "No, we're closed on {day}.",
        "open_now": "Yes, we're open right now; today's hours are {spans}.",
        "closed_now": "We're closed right now; today's hours are {spans}.",
        "closed_today": "No, we're closed today.",
        "hours": "Our opening hours are: {text}.",
        "price": "Here is our price: {text}.",
        "delivery_yes": "Yes, we deliver there. Our delivery details: {text}.",
        "delivery": "Our delivery details: {text}.",
        "address": "You can find us here: {text}.",
        "payment_yes": "Yes, you can. Ways to pay: {text}.",
        "payment": "Ways to pay: {text}.",
        "fact": "{key}: {text}.",
    },
    "es": {
        "hello": "¡Hola!",
        "welcome": "¡Hola! Bienvenido a {name}. ¿En qué puedo ayudarte?",
        "help": "¡Hola! ¿En qué puedo ayudarte?",
        "thanks": "¡De nada! Escribe cuando quieras si necesitas algo más.",
        "fine": "¡Perfecto! Escribe cuando quieras si necesitas algo más.",
        "person": "Claro, pido a un compañero que te responda aquí.",
        "missing": "No tengo esa información, así que pido a un compañero que te responda aquí.",
        "rest": "No he encontrado respuesta a lo demás.",
        "open": "Sí, el {day} abrimos: {spans}.",
        "closed": "No, el {day} cerramos.",
        "open_now": "Sí, ahora estamos abiertos; hoy abrimos {spans}.",
        "closed_now": "Ahora estamos cerrados; hoy abrimos {spans}.",
        "closed_today": "No, hoy cerramos.",
        "hours": "Nuestro horario es: {text}.",
        "price": "Este es nuestro precio: {text}.",
        "delivery_yes": "Sí, repartimos allí. Sobre el reparto: {text}.",
        "delivery": "Sobre el reparto: {text}.",
        "address": "Nos encuentras aquí: {text}.",
        "payment_yes": "Sí, puedes. Formas de pago: {text}.",
        "payment": "Formas de pago: {text}.",
        "fact": "{key}: {text}.",
    },
    "pt": {
        "hello": "Olá!",
        "welcome": "Olá! Boas-vindas à {name}. Como posso ajudar?",
        "help": "Olá! Como posso ajudar?",
        "thanks": "De nada! É só escrever se precisar de mais alguma coisa.",
        "fine": "Perfeito! É só escrever se precisar de mais alguma coisa.",
        "person": "Claro, vou pedir a um colega que responda aqui.",
        "missing": "Não tenho essa informação, por isso vou pedir a um colega que responda aqui.",
        "rest": "Não encontrei resposta para o resto.",
        "open": "Sim, {day} estamos abertos: {spans}.",
        "closed": "Não, {day} estamos fechados.",
        "open_now": "Sim, estamos abertos agora; o horário de hoje é {spans}.",
        "closed_now": "Agora estamos fechados; o horário de hoje é {spans}.",
        "closed_today": "Não, hoje estamos fechados.",
        "hours": "O nosso horário é: {text}.",
        "price": "Este é o nosso preço: {text}.",
        "delivery_yes": "Sim, entregamos aí. Sobre a entrega: {text}.",
        "delivery": "Sobre a entrega: {text}.",
        "address": "Estamos aqui: {text}.",
        "payment_yes": "Sim, pode. Formas de pagamento: {text}.",
        "payment": "Formas de pagamento: {text}.",
        "fact": "{key}: {text}.",
    },
}
TOPIC_PHRASES = frozenset({"hours", "price", "delivery", "address", "payment"})


def say(language: str, phrase: str, /, **values: str) -> str:
    """One sentence; a full stop is not doubled when the value brings its own."""
    cleaned = {key: value.strip().rstrip(".;, ") for key, value in values.items()}
    return _PHRASES[language][phrase].format(**cleaned)


def closed_word(language: str) -> str:
    """How a list of days says that one is a day off."""
    return {"en": "closed", "es": "cerrado", "pt": "fechado"}[language]


def day_name(language: str, day: int) -> str:
    """The name of a day, Monday is 0."""
    return _DAYS[language][day]
