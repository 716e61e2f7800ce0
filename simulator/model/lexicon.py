"""The words the demo model knows: topics, days, stop words, in English, Spanish, Portuguese.

German, Indonesian and Arabic it only recognises: their questions are translated.
"""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOPICS: dict[str, str] = {
    "hours": (
        "open opens opening opened close closes closing closed hour hours schedule"
        " timetable abierto abierta abiertos abren abre abrir abris horario horarios"
        " cierran cierra cerrado cerrada cerrais apertura aberto aberta abrem"
        " funcionamento fecha fecham fechado fechada"
    ),
    "price": (
        "price prices pricing cost costs much charge charges rate rates fee fees precio"
        " precios cuesta cuestan cuanto cuanta cobran tarifa coste costo preco precos"
        " custa custam quanto cobram"
    ),
    "delivery": (
        "deliver delivers delivery deliveries delivered delivering ship ships shipping"
        " entrega entregas entregan entregar reparto repartis repartir reparten envio"
        " envios envian enviar domicilio entregam enviam frete"
    ),
    "address": (
        "where address located location directions map donde direccion ubicacion ubicados"
        " ubicado onde endereco localizacao morada fica ficam"
    ),
    "payment": "pay payment payments paying pagar pago pagos pagamento pagamentos",
    "booking": (
        "book booking bookings reserve reservation reservations appointment appointments"
        " reserva reservas reservar cita citas marcar agendar agendamento marcacao"
    ),
    "contact": (
        "telephone phone email mail call contact telefono correo llamar contacto telefone"
        " ligar contato"
    ),
    "parking": "park parking aparcar aparcamiento estacionamiento estacionar estacionamento",
    "returns": (
        "refund refunds return returns exchange devolucion devoluciones devolver"
        " reembolso devolucao troca trocar"
    ),
    "ordering": (
        "order orders ordering preorder pedido pedidos pedir encargar encargo encargos"
        " encomenda encomendas encomendar"
    ),
    "menu": "menu sell products venden ofrecen productos carta cardapio vendem oferecem produtos",
}
# Words of one topic that also tell which thing is meant, under one name in all languages.
SPECIFIC: dict[str, tuple[str, ...]] = {
    "card": ("payment", "card"),
    "cards": ("payment", "card"),
    "tarjeta": ("payment", "card"),
    "tarjetas": ("payment", "card"),
    "cartao": ("payment", "card"),
    "cartoes": ("payment", "card"),
    "cash": ("payment", "cash"),
    "efectivo": ("payment", "cash"),
    "dinheiro": ("payment", "cash"),
    "paypal": ("payment", "paypal"),
    "bizum": ("payment", "bizum"),
    "pix": ("payment", "pix"),
    "visa": ("payment", "visa"),
    "bread": ("bread",),
    "pan": ("bread",),
    "panes": ("bread",),
    "pao": ("bread",),
    "cake": ("cake",),
    "cakes": ("cake",),
    "tarta": ("cake",),
    "tartas": ("cake",),
    "bolo": ("cake",),
    "allergy": ("allergen",),
    "allergies": ("allergen",),
    "allergens": ("allergen",),
    "alergia": ("allergen",),
    "alergias": ("allergen",),
    "alergenos": ("allergen",),
    **dict.fromkeys(("cancel", "cancellation", "cancelar", "cancelo"), ("cancel",)),
    **dict.fromkeys(("free", "gratis", "graca", "gratuito", "gratuita"), ("free",)),
    "wi": ("wifi",),
    "fi": ("wifi",),
}
DAYS: tuple[str, ...] = (
    "monday mondays mon lunes segunda",
    "tuesday tuesdays tue tues martes terca",
    "wednesday wednesdays wed miercoles quarta",
    "thursday thursdays thu thur thurs jueves quinta",
    "friday fridays fri viernes sexta",
    "saturday saturdays sat sabado sabados",
    "sunday sundays sun domingo domingos",
)
WEEKEND = _set("weekend weekends finde fim")
TODAY = _set("today tonight now hoy ahora hoje agora")
TOMORROW = _set("tomorrow manana amanha")
STOP = _set(
    "a an and any anything are as at be been but by can could d did do does doing don"
    " for from get give go going good got had has have having he help her him his how"
    " i if im in is it its just know let like ll looking m may me more my need no not"
    " of off on one or our out please re s she should so some someone tell than that"
    " the their them then there these they thing this to too up us ve very want wanted"
    " was we were what when which who why will wish with would yes yet you your yours"
    " also about all available time times day days find information info wondering"
    " currently still take takes el la los las lo un una unos unas y o u de del al en por para"
    " con sin que qué es son está esta este estan estas estoy soy hay ha han mi mis te"
    " tu tus su sus se si sí nos como cual cuales quiero quisiera queria puedo puede"
    " pueden podria podrian tienen tiene teneis tenga hacen hace haceis favor porfa"
    " ustedes vosotros yo les le mas muy pero algo dia dias saber hola gracias quien"
    " cuando aqui ya vais sois os um uma uns umas e ou da dos das na nas em pelo pela"
    " com sem qual quais eu voces voce vc vcs tem têm ter é sao estao estou meu minha"
    " seu sua nao sim mais muito posso pode podem gostaria quero fazem faz quando isso"
    " isto ate aos feira ola obrigado obrigada ai vao"
)
LANGUAGE_MARKERS = {
    "es": _set(
        "el los las una del y qué que es son está hola gracias cuánto cuanto cuesta"
        " tienen tenéis abren abierto horario hacen reparto domicilio dónde donde"
        " quiero hablar con persona puedo buenos buenas tardes días domingo sábado"
        " lunes martes miércoles jueves viernes precio pagar tarjeta hay envíos para"
        " por favor mañana hoy"
    ),
    "pt": _set(
        "o os um uma do da e qual é são está olá oi obrigado obrigada quanto custa"
        " têm tem vocês abrem aberto horário fazem entrega onde quero falar com pessoa"
        " posso bom boa dia tarde noite domingo sábado segunda terça quarta quinta"
        " sexta preço pagar cartão entregam para por favor amanhã hoje não"
    ),
    "de": _set(
        "der die das ist sind sie ihr wir und oder für mit wie was wo wann welche welches"
        " kann können haben hat nicht bitte danke ich ein eine einen im am zum es gibt gibts"
        " geben hallo guten tag kostet kosten offen geöffnet morgen heute sonntag samstag"
        " montag dienstag mittwoch donnerstag freitag viel möchte sprechen soll bis auf"
    ),
    "id": _set(
        "yang dan atau untuk dengan bagaimana apa di mana kapan bisa bisakah dapat ada ini"
        " itu terima kasih dari sampai buka tutup berapa harga biaya kami anda saya ke apakah"
        " tolong mau lama hari minggu besok halo selamat siang pagi sore banyak boleh"
    ),
    "en": _set(
        "the a an is are do does you your how much what where when open hi hello hey"
        " thanks thank can i on at of to for and please price deliver talk person"
        " there have it"
    ),
}
